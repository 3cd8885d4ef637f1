"""Owns a compiled policy set: rules ready to weigh, canonical bytes, digest. Must never half-compile.

YAML in, canonical JSON stored; the digest is the version. What the canonical bytes compile to is
what the YAML compiled to.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from policy.codec import parse_object
from policy.document import PolicyDocument
from policy.drift import Tolerance, tolerance_from
from policy.facts import Facts
from policy.monotone import Fault, require_monotone
from policy.request import PaymentRequest
from policy.requirement import combined
from policy.rule import Rule
from policy.rules.registry import RULES
from policy.scopes import Window
from policy.terms import Gas, Head
from policy.verdict import Verdict
from policy.yaml_text import Path, PolicyText, read_yaml
from treasurer.kernel.digest import canonical_json, digest
from treasurer.kernel.errors import InvalidInput
from treasurer.kernel.money import Asset

Weighing = Callable[[PaymentRequest, Facts], Verdict]

_MAX_FAULTS = 20
_PLAIN = {
    "missing": "this is missing",
    "extra_forbidden": "no such word belongs here; check its spelling",
    "too_short": "at least one entry belongs here",
    "tuple_type": "a list belongs here",
    "model_type": "a section with words of its own belongs here",
}
"""Faults that pydantic words for programmers."""


@dataclass(frozen=True, slots=True)
class PolicySet:
    """Compiled and proved monotone. `digest` (SHA-256 of `canonical`) is its version.

    `cooling_off_s` is for those who make the fact: the payees' service adds it to the instant at
    which an address was verified, and whoever changed a payee within it has no vote. So are `zone`,
    whose local time the rules look at, `reads_network`, whether they look at the network, and
    `windows`, the sums that they are held against.
    `most_in_batch`, `tolerance` and `gas` are for who executes: a transaction carries that many
    approved payments at most, what drifted beyond the tolerance is asked about again, and one wallet
    fills up the others' gas money.
    """

    name: str
    reporting: Asset
    rules: tuple[Rule, ...]
    cooling_off_s: int
    most_in_batch: int
    canonical: bytes
    digest: bytes
    zone: str | None = None
    reads_network: bool = False
    tolerance: Tolerance | None = None
    gas: Gas | None = None
    windows: tuple[Window, ...] = field(init=False, repr=False, compare=False)
    weighings: tuple[Weighing, ...] = field(init=False, repr=False, compare=False)
    """Each rule's bound `weigh`, looked up once instead of at every decision."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "weighings", tuple(rule.weigh for rule in self.rules))
        needed = {window for rule in self.rules for window in rule.windows()}
        object.__setattr__(self, "windows", tuple(sorted(needed)))

    def describe(self) -> tuple[str, ...]:
        """A sentence or two for each of `sentences`, for people."""
        return tuple(sentence for _, sentence in self.sentences())

    def sentences(self) -> tuple[tuple[str, str], ...]:
        """What each rule says of itself, by its name; then what is asked about again."""
        said = tuple((rule.name, rule.describe(self.reporting)) for rule in self.rules)
        return said if self.tolerance is None else (*said, ("drift", self.tolerance.describe()))

    @property
    def most_people_asked(self) -> int:
        """How many people besides the requester it may take; 0: it never asks, so one person will do.

        An organization with fewer voters would have payments that nobody can approve.
        """
        asked = [requirement for rule in self.rules for requirement in rule.asks()]
        return combined(asked).people if asked else 0


def load_policy_set(yaml_text: str) -> PolicySet:
    """Compile a policy file. Raises InvalidInput: every fault on a line with its place in the file."""
    source = read_yaml(yaml_text)
    try:
        return _compiled(source.tree)
    except ValidationError as error:
        raise _refusal("POLICY_INVALID", _faults(error), source) from error
    except Fault as fault:
        raise _refusal(fault.code, [(fault.path, fault.message)], source) from fault


def parse_policy_set(canonical: bytes) -> PolicySet:
    """Compile stored canonical bytes. Raises InvalidInput unless they are exactly canonical."""
    try:
        policy_set = _compiled(parse_object(canonical, "policy").values)
    except (ValidationError, Fault) as error:
        raise InvalidInput(
            "POLICY_INVALID", f"the stored policy does not compile: {error}"
        ) from error
    if policy_set.canonical != canonical:
        raise InvalidInput("POLICY_NOT_CANONICAL", "the bytes are no policy's canonical spelling")
    return policy_set


def policy_set_from(tree: Mapping[str, object]) -> PolicySet:
    """Compile a document that a program made of a compiled one. Raises InvalidInput without places."""
    try:
        return _compiled(tree)
    except (ValidationError, Fault) as error:
        raise InvalidInput("POLICY_INVALID", f"the policy does not compile: {error}") from error


def _compiled(tree: object) -> PolicySet:
    reporting = Head.model_validate(tree).asset
    document = PolicyDocument.model_validate(tree, context=reporting)
    try:
        rules = tuple(rule for make in RULES for rule in make(document))
        tolerance = tolerance_from(document)
    except ValueError as error:
        raise Fault("POLICY_INVALID", (), str(error)) from error
    names = [rule.name for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise Fault("POLICY_INVALID", ("limits",), f"two limits have the same scope: {name}")
    require_monotone(document, rules)
    stored = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    stored["pay_in"] = sorted(stored["pay_in"], key=lambda entry: (entry["chain"], entry["asset"]))
    canonical = canonical_json(stored)
    return PolicySet(
        name=document.name,
        reporting=reporting,
        rules=rules,
        cooling_off_s=document.payees.cooling_off.seconds,
        most_in_batch=1 if document.batches is None else document.batches.at_most,
        canonical=canonical,
        digest=digest(canonical),
        zone=None if document.hours is None else document.hours.zone,
        reads_network=document.network is not None,
        tolerance=tolerance,
        gas=document.gas,
    )


def _faults(error: ValidationError) -> list[tuple[Path, str]]:
    faults = error.errors(include_url=False, include_context=False)
    inner = {fault["loc"][:depth] for fault in faults for depth in range(len(fault["loc"]))}
    return [
        (fault["loc"], _PLAIN.get(fault["type"], fault["msg"].removeprefix("Value error, ")))
        for fault in faults
        # A list whose entries are all at fault is not, besides, too short.
        if fault["type"] != "too_short" or fault["loc"] not in inner
    ]


def _refusal(code: str, faults: Iterable[tuple[Path, str]], source: PolicyText) -> InvalidInput:
    placed = sorted(
        ((source.place(path), ".".join(map(str, path)), message) for path, message in faults),
        key=lambda fault: (fault[0].line, fault[0].column),
    )
    lines = [
        f"{place}: {path}: {message}" if path else f"{place}: {message}"
        for place, path, message in placed[:_MAX_FAULTS]
    ]
    first = placed[0][0]
    return InvalidInput(code, "\n".join(lines), line=first.line, column=first.column)
