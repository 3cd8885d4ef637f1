"""Owns the meaning of providers' answers: one precise error or outcome for each. Must never guess.

Nodes word the same refusal differently (geth, reth, Nethermind, Besu, Erigon, anvil); the table below
names the phrases. What it does not name is unknown, not rejected.
"""

from treasurer.chain.port import BroadcastOutcome
from treasurer.kernel.errors import InvariantViolated, OutcomeUnknown, Permanent, Transient

METHOD_NOT_FOUND = -32601
"""JSON-RPC 2.0, section 5.1."""
INVALID_PARAMS = -32602
"""JSON-RPC 2.0, section 5.1."""
LIMIT_EXCEEDED = -32005
"""EIP-1474."""


class ChainTimeout(Transient):
    """The provider did not answer in time."""

    def __init__(self, method: str) -> None:
        super().__init__("CHAIN_TIMEOUT", f"{method}: the node did not answer in time; retry")


class ChainUnreachable(Transient):
    """No connection, or it broke."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__("CHAIN_UNREACHABLE", f"{method}: no connection to the node ({reason})")


class ChainRateLimited(Transient):
    """HTTP 429 or EIP-1474's limit exceeded; asked again after `retry_after_s` (RFC 9110, 10.2.3)."""

    def __init__(self, method: str, retry_after_s: int = 1) -> None:
        super().__init__(
            "CHAIN_RATE_LIMITED",
            f"{method}: the node limits our rate; retry in {retry_after_s} s",
            retry_after_s=retry_after_s,
        )
        self.retry_after_s = retry_after_s


class ChainHttpError(Transient):
    """Another HTTP status than 200."""

    def __init__(self, method: str, status: int) -> None:
        super().__init__("CHAIN_HTTP_ERROR", f"{method}: HTTP status {status}", status=status)


class ChainBadAnswer(Transient):
    """Status 200 with something that is no JSON-RPC answer, or one of another shape."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__("CHAIN_BAD_ANSWER", f"{method}: unusable answer ({reason})")


class ChainReorganised(Transient):
    """Two answers of one question came from different blocks of the same number."""

    def __init__(self, block_number: int) -> None:
        super().__init__(
            "CHAIN_REORGANISED",
            f"block {block_number} changed between two answers; ask again",
            block_number=block_number,
        )


class RpcError(Transient):
    """A JSON-RPC error object to a read. `rpc_code` is the provider's."""

    def __init__(self, method: str, rpc_code: int, text: str) -> None:
        super().__init__("CHAIN_RPC_ERROR", f"{method}: {text}", rpc_code=rpc_code)
        self.rpc_code = rpc_code
        self.text = text


class ProvidersTooFew(Transient):
    """Fewer than two providers answer what two must agree on; nothing contradicts anything."""

    def __init__(self, question: str, reason: str) -> None:
        super().__init__(
            "CHAIN_PROVIDERS_TOO_FEW",
            f"{question}: two providers must agree and fewer answer ({reason}); it is asked again",
        )


class ProvidersDisagree(OutcomeUnknown):
    """Two providers contradict each other about what is final, and no third decides.

    Nothing irreversible may follow: wait, or quarantine what stands on it. Above the final block two may
    differ for a moment; that is ChainReorganised.
    """

    def __init__(self, question: str, providers: str) -> None:
        super().__init__(
            "CHAIN_PROVIDERS_DISAGREE",
            f"{question}: {providers} contradict each other; find out which of them lies or lags, and"
            " take it out of RPC_URL",
            providers=providers,
        )


class CallReverted(Permanent):
    """The call would revert: sending it would only burn gas."""

    def __init__(self, method: str, text: str) -> None:
        super().__init__("CHAIN_CALL_REVERTED", f"{method}: the call reverts ({text})")


class NotAToken(Permanent):
    """The address does not answer as an ERC-20 token."""

    def __init__(self, address: str, question: str) -> None:
        super().__init__(
            "CHAIN_NOT_A_TOKEN",
            f"{address} does not answer {question} like an ERC-20 token; check the address",
            address=address,
        )


class NetworkMismatch(InvariantViolated):
    """The provider serves another network, or a pinned contract changed: nothing is signed."""


class FinalityTagMissing(NetworkMismatch):
    """The network's rule is the `finalized` tag and its node has none: nothing can be settled."""

    def __init__(self) -> None:
        super().__init__(
            "FINALITY_TAG_MISSING",
            "the node names no final block: ask the network's documentation after how many blocks one"
            " is final, and write `finality: depth:N` in network.yaml",
        )


_OUTCOMES: tuple[tuple[BroadcastOutcome, tuple[str, ...]], ...] = (
    # Order matters: "replacement transaction underpriced" must not be read as merely rejected,
    # and "already known" may come with the word nonce.
    (
        BroadcastOutcome.ALREADY_KNOWN,
        (
            "already known",
            "known transaction",
            "already imported",
            "already exists",
            "alreadyknown",
        ),
    ),
    (BroadcastOutcome.NONCE_TOO_LOW, ("nonce too low", "oldnonce", "nonce is too low")),
    (
        BroadcastOutcome.UNDERPRICED,
        (
            "underpriced",
            "fee too low",
            "feetoolow",
            "less than block base fee",
            "gas price below",
            "gas price too low",
            "max fee per gas too low",
            "replacement",
        ),
    ),
    (
        BroadcastOutcome.REJECTED,
        (
            "insufficient funds",
            "insufficientfunds",
            "insufficient balance",
            "intrinsic gas too low",
            "gas limit reached",
            "exceeds block gas limit",
            "invalid chain id",
            "invalid chainid",
            "wrong chain id",
            "invalid sender",
            "invalid signature",
            "nonce too high",
            "nonce gap",
            "tip higher than",
            "priority fee per gas higher",
            "transaction type not supported",
            "oversized data",
            "rlp:",
            "execution reverted",
        ),
    ),
)


def broadcast_outcome(rpc_code: int, text: str) -> BroadcastOutcome:
    """What an error answer to eth_sendRawTransaction means."""
    if rpc_code == LIMIT_EXCEEDED:
        return BroadcastOutcome.UNKNOWN
    lowered = text.lower()
    for outcome, phrases in _OUTCOMES:
        if any(phrase in lowered for phrase in phrases):
            return outcome
    return BroadcastOutcome.UNKNOWN


def read_error(method: str, rpc_code: int, text: str) -> Transient | Permanent:
    """The error for a JSON-RPC error answer to a read."""
    if rpc_code == LIMIT_EXCEEDED or "rate limit" in text.lower():
        return ChainRateLimited(method)
    # Code 3 is geth's for a revert with data; others only say it in words.
    if method in {"eth_call", "eth_estimateGas"} and (rpc_code == 3 or "revert" in text.lower()):
        return CallReverted(method, text)
    return RpcError(method, rpc_code, text)
