"""The node's HTTPS server: the kubelet's endpoint for logs, which the API server asks for `kubectl logs`, and the
faults that tests ask for. Both only for holders of an administrator's certificate of this cluster."""

import ssl
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from local_cluster.node.agent import Agent
from local_cluster.node.logs import LogRequest, read

_ADMINISTRATORS = "system:masters"
AGENT = web.AppKey("agent", Agent)


def application(agent: Agent) -> web.Application:
    app = web.Application(middlewares=[_only_administrators])
    app[AGENT] = agent
    app.add_routes(
        [
            web.get("/containerLogs/{namespace}/{pod}/{container}", _logs),
            web.route("*", "/{kind:exec|attach|portForward}/{rest:.*}", _unsupported),
            web.get("/healthz", _health),
            web.get("/pids/{namespace}/{pod}", _pids),
            web.post("/faults/{fault}", _fault),
            web.post("/shutdown", _shutdown),
        ]
    )
    return app


def tls(ca: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    return context


@web.middleware
async def _only_administrators(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Other certificates of the same authority, the node's own among them, have no business here."""
    certificate = request.get_extra_info("peercert") or {}
    subject = {key: value for part in certificate.get("subject", ()) for key, value in part}
    if subject.get("organizationName") != _ADMINISTRATORS:
        raise web.HTTPForbidden(text="only administrators of the cluster")
    return await handler(request)


async def _health(request: web.Request) -> web.Response:
    if not request.app[AGENT].is_synced:
        raise web.HTTPServiceUnavailable
    return web.Response(text="ok")


_INSTEAD = {
    "exec": "In place of kubectl cp: files of claims lie in volumes/ of the cluster's directory, others in pods/",
    "attach": "For what it says: kubectl logs --follow",
    "portForward": "It has an address of its own on this machine: kubectl get pod --output wide",
}


async def _unsupported(request: web.Request) -> web.Response:
    kind = request.match_info["kind"]
    raise web.HTTPNotImplemented(text=f"{kind} is not supported: pods are processes of this machine. {_INSTEAD[kind]}")


async def _logs(request: web.Request) -> web.StreamResponse:
    if request.app[AGENT].is_cut:
        raise web.HTTPServiceUnavailable
    namespace, pod, container = (request.match_info[key] for key in ("namespace", "pod", "container"))
    instances = request.app[AGENT].instances(namespace, pod, container)
    wanted = 2 if request.query.get("previous") == "true" else 1
    if len(instances) < wanted:
        raise web.HTTPNotFound(text=f'container "{container}" in pod "{pod}" has no such log')
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    async for chunk in read(instances[-wanted], _log_request(request)):
        await response.write(chunk)
    return response


def _log_request(request: web.Request) -> LogRequest:
    tail, limit = request.query.get("tailLines"), request.query.get("limitBytes")
    return LogRequest(
        follow=request.query.get("follow") == "true",
        tail=int(tail) if tail else None,
        limit=int(limit) if limit else None,
    )


async def _pids(request: web.Request) -> web.Response:
    agent = request.app[AGENT]
    return web.json_response({"pids": agent.pids(request.match_info["namespace"], request.match_info["pod"])})


async def _fault(request: web.Request) -> web.Response:
    agent, body = request.app[AGENT], await request.json()
    match request.match_info["fault"]:
        case "freeze":
            agent.freeze()
        case "thaw":
            agent.thaw()
        case "hold":
            agent.faults.hold(body["namespace"], body["name"])
        case "release":
            agent.faults.release(body["namespace"], body["name"])
        case "delay":
            agent.faults.delay_starts(float(body["seconds"]))
        case "kill":
            agent.kill(body["namespace"], body["name"])
        case unknown:
            raise web.HTTPNotFound(text=f"no such fault: {unknown}")
    return web.json_response({})


async def _shutdown(request: web.Request) -> web.Response:
    body = await request.json()
    await request.app[AGENT].shut_down(float(body["grace"]))
    return web.json_response({})
