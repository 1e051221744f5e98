"""The resources that sites are made of: nodes of a tree, fixed texts, files held in memory."""

# twisted.web's resources and requests carry no annotations:
# mypy: allow-untyped-calls
# Names that override twisted.web's are twisted.web's:
# ruff: noqa: N802

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from twisted.web.http import CACHED
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from wampgate.http.responses import TEXT, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from twisted.web.server import Request

NOT_FOUND: Final = Response(404, b"There is nothing at this address.\n")


def write(request: Request, response: Response) -> bytes:
    """Set a response's status and headers; its body, or none where the method is HEAD."""
    request.setResponseCode(response.status)
    request.setHeader(b"Content-Type", response.content_type)
    for name, value in response.headers:
        request.setHeader(name, value)
    return body_of(request, response.body)


def body_of(request: Request, body: bytes) -> bytes:
    """The body, or its length alone where the method is HEAD."""
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return b"" if request.method == b"HEAD" else body


class Node(Resource):
    """A node of the tree; by itself it has children and no content, and lists nothing.

    Args:
        nodes: the children, by name.
        absent: what is answered where there is nothing, here and below.
    """

    def __init__(self, nodes: Mapping[bytes, Node] | None = None, absent: Response = NOT_FOUND) -> None:
        super().__init__()
        self._nodes = nodes or {}
        self._absent = absent

    def getChild(self, path: bytes, _request: Request) -> Resource:
        """The child of a name, or what answers that there is none."""
        return self._nodes.get(path) or Node(absent=self._absent)

    def render(self, request: Request) -> bytes | int:
        """Answer a request."""
        if request.method in (b"GET", b"HEAD"):
            return self.read(request)
        allow = ((b"Allow", b"GET, HEAD"),)
        return write(request, Response(405, b"Only GET and HEAD are answered here.\n", TEXT, allow))

    def read(self, request: Request) -> bytes | int:
        """Answer GET or HEAD: the body, or NOT_DONE_YET if the answer has been written."""
        return write(request, self._absent)


class Fixed(Node):
    """One fixed response, for what has no file."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self._response = response

    def read(self, request: Request) -> bytes:
        """See :meth:`Node.read`."""
        return write(request, self._response)


class File(Node):
    """A file held in memory, revalidated by its hash."""

    def __init__(self, content: bytes, content_type: bytes) -> None:
        super().__init__()
        self._content = content
        self._content_type = content_type
        self._etag = b'"%s"' % hashlib.sha256(content).hexdigest()[:32].encode()

    def read(self, request: Request) -> bytes | int:
        """See :meth:`Node.read`."""
        request.setHeader(b"Cache-Control", b"no-cache")
        if request.setETag(self._etag) is CACHED:
            # Returning b"" would announce a length of 0, which a 304 must not.
            request.write(b"")
            request.finish()
            return int(NOT_DONE_YET)
        request.setHeader(b"Content-Type", self._content_type)
        return body_of(request, self._content)
