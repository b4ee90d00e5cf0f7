import { localBench, RemoteBench } from "./bench.ts";
import { storeSuite } from "./store-suite.ts";

storeSuite("in this process", localBench);
storeSuite("in a daemon", RemoteBench.make);
