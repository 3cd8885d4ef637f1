"""Owns the JSON-RPC errors of the development chain. Must speak geth's words: clients match on them."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
SERVER_ERROR = -32000
EXECUTION_REVERTED = 3


class RpcError(Exception):
    """A JSON-RPC error object: `code`, `message`, and for reverts the returned bytes as hex."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def as_json(self) -> dict[str, object]:
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.data is not None:
            error["data"] = self.data
        return error


def refused(message: str) -> RpcError:
    """A transaction that the pool does not take."""
    return RpcError(SERVER_ERROR, message)


def invalid_params(message: str) -> RpcError:
    return RpcError(INVALID_PARAMS, message)
