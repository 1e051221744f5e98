"""Makes a router.json of Crossbar's: python from_crossbar.py config.json [--own com.example.] > router.json.

What has no counterpart and what is to be decided by hand is told on stderr; see docs/migrating-from-crossbar.md.
"""

import argparse
import base64
import json
import re
import sys
from pathlib import Path

from wampgate.core.matching import covers
from wampgate.core.uri import is_reserved

ACTIONS = ("subscribe", "publish", "call", "register")
DISCLOSED = {"call": "caller", "publish": "publisher"}
WEBSOCKET_LIMITS = {
    "max_message_size": ("message_bytes", 1),
    "auto_ping_interval": ("ping_seconds", 1000),
    "open_handshake_timeout": ("header_seconds", 1000),
}
notes = []


def note(text):
    """Something for the reader, once."""
    if text not in notes:
        notes.append(text)


def from_environment(text):
    """A secret; Crossbar's $NAME is ${NAME} here."""
    name = re.fullmatch(r"\$([A-Z0-9_]+)", text)
    return f"${{{name[1]}}}" if name else text.replace("${", "$${")


# --- roles and permissions ---


def pattern(permission):
    """A permission's URI and match, without Crossbar's stars."""
    uri = permission["uri"]
    if "match" in permission:
        return uri, permission["match"]
    stars = uri.count("*")
    if stars == 0:
        return uri, "exact"
    return (uri[:-1], "prefix") if stars == 1 and uri.endswith("*") else (uri.replace("*", ""), "wildcard")


def narrowed(permissions, own):
    """Permissions as (uri, match, allowed actions, what is disclosed), with the application's names for everything."""
    for permission in permissions:
        uri, match = pattern(permission)
        allow, disclose = permission.get("allow", {}), permission.get("disclose", {})
        allowed = [action for action in ACTIONS if allow.get(action)]
        if uri.startswith("wamp."):
            # Nobody but the router publishes or registers there, with Crossbar neither.
            yield uri, match, [action for action in allowed if action in ("call", "subscribe")], disclose
        elif uri.startswith("crossbar."):
            note(f"{permission['uri']}: there are no procedures of Crossbar's")
        elif not is_reserved(uri, match) or not allowed:
            yield uri, match, allowed, disclose
        elif own:
            note(f"{permission['uri']!r} would reach the router's own procedures; instead of it: {', '.join(own)}")
            yield from ((prefix, "prefix", allowed, disclose) for prefix in own)
        else:
            sys.exit(f"{permission['uri']!r} reaches the router's own procedures: say by --own how your URIs begin")


def rules(role, own):
    """The rules of a role: what it may do, and what a wider rule of its own would let it do though it may not."""
    permissions = list(narrowed(role.get("permissions", []), own))
    for uri, match, allowed, disclose in permissions:
        rule = {"role": role["name"], "uri": uri, "match": match}
        told = [action for action in allowed if disclose.get(DISCLOSED.get(action))]
        for actions, how in (([each for each in allowed if each not in told], {}), (told, {"disclose": "always"})):
            if actions:
                yield rule | {"actions": actions} | how
        wider = [other for other in permissions if other[:2] != (uri, match) and covers(*other[:2], uri, match)]
        denied = [action for action in ACTIONS if action not in allowed and any(action in other[2] for other in wider)]
        if denied:
            yield rule | {"actions": denied, "allow": False}


def authorization(realm, own):
    """A realm's authorization. There are no organizations."""
    roles = realm.get("roles", [])
    deciding = {}
    for role in roles:
        if "authorizer" in role:
            deciding.setdefault(role["authorizer"], []).append(role["name"])
    section = {"organization": None, "rules": [rule for role in roles for rule in rules(role, own)]}
    if deciding:
        section["dynamic"] = [{"roles": names, "procedure": procedure} for procedure, names in deciding.items()]
    return section


# --- who may join ---


def scram(principal):
    """What is kept of a password: Crossbar writes it in hexadecimal, the router in Base64."""
    texts = {"salt": "salt", "stored_key": "stored-key", "server_key": "server-key"}
    numbers = {key: principal[key] for key in ("kdf", "iterations", "memory")}
    return numbers | {ours: base64.b64encode(bytes.fromhex(principal[key])).decode() for ours, key in texts.items()}


def wampcra(principal):
    """A secret, salted or not."""
    kept = {key: principal[key] for key in ("salt", "iterations", "keylen") if key in principal}
    return {"secret": from_environment(principal["secret"])} | kept


METHODS = {
    "ticket": ("principals", lambda principal: from_environment(principal["ticket"])),
    "wampcra": ("users", wampcra),
    "scram": ("principals", scram),
    "cryptosign": (
        "principals",
        lambda principal: {"public_keys": [key.lower() for key in principal["authorized_keys"]]},
    ),
}


def add_static(section, method, config, roles):
    """The principals of a method whose roles the realm has; who has several methods is one principal."""
    where, kept = METHODS[method]
    section.setdefault(method, {})
    principals = section.setdefault("principals", [])
    for authid, principal in config[where].items():
        role = principal.get("role")
        if role not in roles:
            note(f"{method} of {authid!r}: the role {role!r} is none of the realm")
            continue
        known = next((one for one in principals if one["authid"] == authid), None)
        if known is None:
            principals.append({"authid": authid, "role": role, method: kept(principal)})
        elif known["role"] == role:
            known[method] = kept(principal)
        else:
            note(f"{authid!r} has two roles; by {method} it had {role!r}: give it two names")


def add_dynamic(section, method, config):
    """A procedure that says who someone is."""
    found = {"procedure": config["authenticator"]}
    if "authenticator-realm" in config:
        found["realm"] = config["authenticator-realm"]
    dynamic = section.setdefault("dynamic", found | {"methods": []})
    if {key: dynamic[key] for key in found} != found:
        note(f"{method}: a realm asks one procedure; let {dynamic['procedure']} answer for {config['authenticator']}")
    dynamic["methods"].append(method)
    if method != "anonymous":
        section.setdefault(method, {})


def authentication(auths, roles):
    """A realm's authentication, of that of all transports."""
    section = {}
    for auth in auths:
        for method, config in auth.items():
            kind = config.get("type", "static")
            if method == "cookie":
                note("cookies are issued for a token, by POST /session: see docs/authentication.md")
            elif kind == "dynamic":
                add_dynamic(section, method, config)
            elif method == "anonymous":
                section["anonymous"] = {"role": config.get("role", "anonymous")}
            elif method in METHODS:
                add_static(section, method, config, roles)
            else:
                note(f"{method}: principals are known by the certificate's SHA-256: see docs/authmethods.md")
    return section


# --- transports ---


def escaped(text):
    """A value in a Twisted endpoint."""
    return str(text).replace("\\", "\\\\").replace(":", "\\:")


def listener(endpoint):
    """A listener of a Crossbar endpoint."""
    if endpoint["type"] == "unix":
        return {"endpoint": f"unix:{escaped(endpoint['path'])}"}
    if endpoint["type"] != "tcp":
        note(f"an endpoint of type {endpoint['type']}: write it as a Twisted server endpoint")
        return None
    tls = endpoint.get("tls", {})
    files = {"privateKey": tls.get("key"), "certKey": tls.get("certificate"), "dhParameters": tls.get("dhparam")}
    chain = tls.get("chain_certificates", [])
    files["extraCertChain"] = chain[0] if chain else None
    named = {"interface": endpoint.get("interface", "\\:\\:" if endpoint.get("version") == 6 else None)} | files
    arguments = "".join(
        f":{name}={value if name == 'interface' else escaped(value)}" for name, value in named.items() if value
    )
    found = {"endpoint": f"{'ssl' if tls else 'tcp'}:{from_environment(str(endpoint['port']))}{arguments}"}
    if tls.get("ca_certificates"):
        found["client_certificates"] = {"ca_file": tls["ca_certificates"][0]}
    return found


def services(transport):
    """What a transport leads to, by kind: sections that may have auth and options."""
    kind = transport["type"]
    parts = {kind: transport}
    if kind == "universal":
        parts = {kind: transport[kind] for kind in ("rawsocket", "web") if kind in transport}
        yield from (("websocket", service) for service in transport.get("websocket", {}).values())
    for kind, part in parts.items():
        if kind != "web":
            yield kind, part
        for path, service in part.get("paths", {}).items():
            yield from served_at(path, service)


def served_at(path, service):
    """What is served at a path of a web transport."""
    if service["type"] == "websocket":
        if path != "ws":
            note(f"the path {path!r}: WebSockets are at /ws")
        yield "websocket", service
    elif service["type"] in ("publisher", "caller"):
        note("HTTP publishing and calling: serve backend on a listener of its own, see docs/http.md")
    else:
        note(f"{service['type']} at {path!r}: let your web server serve it")


def apply_options(document, options):
    """Limits, origins and compression of a WebSocket's options."""
    for theirs, (ours, divisor) in WEBSOCKET_LIMITS.items():
        if options.get(theirs):
            value = options[theirs] / divisor
            document.setdefault("limits", {})[ours] = int(value) if value == int(value) else value
    origins = [origin for origin in options.get("allowed_origins", []) if "*" not in origin]
    if len(origins) < len(options.get("allowed_origins", [])):
        note("allowed_origins with *: name each origin in origins; the router's own needs no name")
    if origins:
        document["origins"] = sorted({*document.get("origins", []), *origins})
    if "compression" in options:
        document["compression"] = {}


# --- all of it ---


def histories(realm):
    """Whose events are kept."""
    for one in realm.get("store", {}).get("event-history", []):
        limit = one.get("limit", realm["store"].get("limit", 100))
        yield {"uri": one["uri"], "match": one.get("match", "exact"), "history": {"count": limit}}
    if realm.get("store", {}).get("call-queue"):
        note("call-queue: calls are not queued; the caller gets wamp.error.no_available_callee")


def converted(config, own):
    """router.json of config.json."""
    workers = [worker for worker in config["workers"] if worker["type"] == "router"]
    if len(workers) < len(config["workers"]) or any(worker.get("components") for worker in workers):
        note("components, containers and guests: run them by systemd or compose, as clients of the router")
    transports = [transport for worker in workers for transport in worker.get("transports", [])]
    served = [service for transport in transports for service in services(transport)]
    document = {"listen": [one for one in (listener(transport["endpoint"]) for transport in transports) if one]}
    for kind, service in served:
        apply_options(document, service if kind == "rawsocket" else service.get("options", {}))
    # Without auth Crossbar lets everyone in.
    auths = [service.get("auth", {"anonymous": {}}) for kind, service in served if kind in ("websocket", "rawsocket")]
    note("hosts: name those by which clients reach the router, backends too; only loopback's are known")
    document["realms"] = []
    for realm in (realm for worker in workers for realm in worker["realms"]):
        roles = {role["name"] for role in realm.get("roles", [])}
        made = {"name": realm["name"], "authentication": authentication(auths, roles)}
        made["authorization"] = authorization(realm, own)
        kept = list(histories(realm))
        document["realms"].append(made | ({"topics": kept} if kept else {}))
    return document


def main():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description="Make a router.json of Crossbar's config.json.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--own", action="append", help="how the application's URIs begin, such as com.example.")
    asked = parser.parse_args()
    document = converted(json.loads(asked.config.read_text()), asked.own or [])
    print(json.dumps(document, indent=2))
    for text in notes:
        print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
