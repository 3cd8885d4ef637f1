"""Owns what an answer by JSON-RPC 2.0 says to each call. Pure. Must never trust an order or an id."""

from typing import TypeAlias

from treasurer.chain.errors import ChainBadAnswer, read_error
from treasurer.kernel.errors import Permanent, Transient

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"


class RpcFailure:
    """The provider's own error object to one call of a batch."""

    __slots__ = ("code", "text")

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text


Result: TypeAlias = "Json | RpcFailure | Transient"
"""What became of one call: its result, the provider's refusal, or no usable answer."""


def value(method: str, result: Result) -> Json:
    """The result itself. Raises what else came."""
    if isinstance(result, RpcFailure):
        raise read_error(method, result.code, result.text)
    if isinstance(result, Transient | Permanent):
        raise result
    return result


def results(method: str, ids: range, answer: Json) -> list[Result]:
    """The result of each call, in the order of `ids`, whatever the order of the answers."""
    entries = answer if isinstance(answer, list) else [answer]
    found: list[Result] = [ChainBadAnswer(method, "no answer to this call")] * len(ids)
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        identity = entry.get("id")
        if isinstance(identity, int) and identity in ids:
            found[ids.index(identity)] = _result(method, entry)
        elif identity is None and "error" in entry:
            # An error without id speaks of the whole batch.
            return [_result(method, entry)] * len(ids)
    return found


def is_error_answer(answer: Json) -> bool:
    """Whether `answer` holds an error object."""
    if isinstance(answer, list):
        return any(is_error_answer(entry) for entry in answer)
    return isinstance(answer, dict) and isinstance(answer.get("error"), dict)


def _result(method: str, entry: dict[str, Json]) -> Result:
    error = entry.get("error")
    if isinstance(error, dict):
        code = error.get("code")
        return RpcFailure(
            code if isinstance(code, int) else 0, str(error.get("message") or "no message")
        )
    if "result" not in entry:
        return ChainBadAnswer(method, "neither result nor error")
    return entry["result"]
