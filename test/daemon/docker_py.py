"""Drives a daemon through docker-py, and prints what came of each call as one line of JSON."""

import hashlib
import json
import sys

import docker

socket, archive, tar = sys.argv[1:]
client = docker.DockerClient(base_url="unix://" + socket)
api = client.api


def tell(name, call):
    try:
        print(json.dumps([name, call()]))
    except docker.errors.APIError as error:
        print(json.dumps([name, type(error).__name__, error.status_code, error.explanation]))


def shape(image):
    return [image.id, image.tags, image.labels, image.short_id]


def shapes(images):
    return sorted(shape(image) for image in images)


def load():
    with open(archive, "rb") as file:
        return [shape(image) for image in client.images.load(file.read())]


def digest(chunks):
    total = hashlib.sha256()
    for chunk in chunks:
        total.update(chunk)
    return total.hexdigest()


def make():
    with open(tar, "rb") as file:
        answer = api.import_image_from_data(file.read(), repository="python", tag="1", changes=["CMD a", "LABEL p=y"])
    return list(json.loads(answer.strip()))


tell("ping", client.ping)
tell("version", lambda: {key: client.version()[key] for key in ("ApiVersion", "MinAPIVersion", "Os", "Arch")})
tell("info", lambda: {key: client.info()[key] for key in ("Images", "Driver", "Containers", "OSType")})
tell("list", lambda: shapes(client.images.list()))
tell("all", lambda: shapes(client.images.list(all=True)))
tell("named", lambda: shapes(client.images.list(name="base")))
tell("dangling", lambda: shapes(client.images.list(filters={"dangling": True})))
tell("labelled", lambda: shapes(client.images.list(filters={"label": ["stage=prod", "kid"]})))
tell("bad filter", lambda: shapes(client.images.list(filters={"unheard": "of"})))
tell("get", lambda: shape(client.images.get("kid:1")))
tell("attrs", lambda: {k: v for k, v in client.images.get("base:1").attrs.items() if k not in ("GraphDriver", "Metadata")})
tell("missing", lambda: shape(client.images.get("nope")))
tell("history", lambda: client.images.get("kid:1").history())
tell("tag", lambda: client.images.get("base:1").tag("localhost:5000/python/tagged", "2"))
tell("tagged", lambda: shape(client.images.get("localhost:5000/python/tagged:2")))
tell("save", lambda: digest(client.images.get("base:1").save()))
tell("save named", lambda: digest(client.images.get("base:1").save(named=True)))
tell("load", load)
tell("import", make)
tell("imported", lambda: client.images.get("python:1").attrs["Config"]["Labels"])
tell("remove", lambda: client.images.remove("localhost:5000/python/tagged:2"))
tell("remove again", lambda: client.images.remove("localhost:5000/python/tagged:2"))
tell("remove used", lambda: client.images.remove("other:2"))
tell("remove imported", lambda: client.images.remove("python:1", force=True, noprune=True))
tell("prune", lambda: client.images.prune(filters={"dangling": True, "label": "none"}))
tell("df", lambda: client.df()["LayersSize"])
tell("events", lambda: [event["Action"] for event in client.events(since=1, until=2, decode=True)])


def container(it):
    attrs = it.attrs
    return [it.name, it.status, it.labels, attrs["Config"]["Cmd"], attrs["Config"]["Image"], attrs["HostConfig"]["NetworkMode"]]


def containers(**options):
    return [container(it) for it in client.containers.list(all=True, **options)]


def create():
    made = client.containers.create("other:2", ["a", "b"], name="python", labels={"by": "py"}, network_mode="none", environment={"A": "b"})
    return container(made)


def get_archive(path):
    chunks, stat = client.containers.get("python-two").get_archive(path)
    return [digest(chunks), {key: stat[key] for key in ("name", "size", "mode", "linkTarget")}]


def put():
    with open(tar, "rb") as file:
        return client.containers.get("python-two").put_archive("/etc", file.read())


def commit():
    image = client.containers.get("python-two").commit("python", "2", message="m", author="me", changes="LABEL c=y")
    return [image.tags, image.attrs["Config"]["Labels"], image.attrs["Comment"], len(image.attrs["RootFS"]["Layers"])]


tell("containers", containers)
tell("containers by label", lambda: containers(filters={"label": "a=b"}))
tell("containers by image", lambda: containers(filters={"ancestor": "box:1"}))
tell("running containers", lambda: client.containers.list())
tell("container", lambda: container(client.containers.get("a.long_name-1")))
tell("no container", lambda: client.containers.get("nope"))
tell("create", create)
tell("create again", create)
tell("rename", lambda: client.containers.get("python").rename("python-two"))
tell("no changes", lambda: client.containers.get("python-two").diff())
tell("put", put)
# dockerd tells them in no certain order.
tell("changes", lambda: sorted(client.containers.get("python-two").diff(), key=lambda change: change["Path"]))
tell("get", lambda: get_archive("/etc/other"))
tell("get nothing", lambda: get_archive("/nope"))
tell("export", lambda: len(b"".join(client.containers.get("web").export())))
tell("commit", commit)
tell("remove container", lambda: client.containers.get("python-two").remove(v=True))
tell("remove committed", lambda: client.images.remove("python:2"))
tell("prune containers", lambda: client.containers.prune(filters={"label": "none"}))
tell("prune all containers", lambda: len(client.containers.prune()["ContainersDeleted"]))
