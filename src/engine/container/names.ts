import { randomInt } from "node:crypto";

/**
 * A name for a container to which nobody gives one: as Docker's, an adjective and the name of somebody who has done
 * something for science, so that people can say it and tell two of them apart.
 *
 * @param isTaken asked for each that comes to mind
 * @param id its beginning is the name when all that come to mind are taken, as with Docker
 */
export function newName(isTaken: (name: string) => boolean, id: string): string {
  for (let tries = 0; tries < TRIES; tries++) {
    // A number behind it, once luck alone has not helped.
    const name = `${pick(ADJECTIVES)}_${pick(SURNAMES)}${tries === 0 ? "" : randomInt(10)}`;
    if (!isTaken(name)) return name;
  }
  return id.slice(0, 12);
}

const TRIES = 6;

function pick(words: string): string {
  const list = words.split(" ");
  return list[randomInt(list.length)]!;
}

const ADJECTIVES =
  "able agile amber ample brave brisk calm candid civil clear clever cordial deft eager earnest even fair fleet fond " +
  "frank gentle glad golden hardy honest jolly keen kind lively loyal lucid mellow merry mild modest neat nimble noble " +
  "patient placid plain proud quick quiet ready robust serene sincere sleek snug sober spry steady stout subtle sunny " +
  "tidy tranquil trusty upbeat upright vivid warm wise witty";

const SURNAMES =
  "abel agnesi alhazen anning archimedes avogadro bernoulli bose brahe burnell cannon carson cauchy celsius cori curie " +
  "darwin descartes dirac einstein euler faraday fermat fermi feynman fibonacci fourier franklin galileo galois gauss " +
  "germain goodall hamilton herschel hilbert hodgkin hopper huygens hypatia jacquard kepler kovalevskaya lamarr laplace " +
  "leavitt lehmann leibniz linnaeus lovelace lyell maxwell mcclintock meitner mendel mendeleev mirzakhani newton nightingale " +
  "noether pascal pasteur payne planck poincare ramanujan riemann rubin sagan shannon snow somerville steno torvalds " +
  "turing volta wu yalow";
