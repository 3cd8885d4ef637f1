"""A second, naive evaluator, written from docs/policy.md alone: a list of sections, each an `if`.

Imports nothing of `policy` but the types of its data. Slow, and long where the engine is clever: it
works on exact fractions and on the file's own words.
"""

from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from math import ceil
from typing import Any

from policy.facts import Facts
from policy.request import PaymentRequest
from tests.policy.oracle_answer import Answer, Way

Tree = dict[str, Any]
UNITS = {"s": 1, "min": 60, "h": 3600, "day": 86_400, "days": 86_400}


class Oracle:
    """Evaluates one policy file, given as the tree of its YAML with every scalar as text."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.decimals = int(tree["reporting"]["decimals"])

    def minor(self, text: str) -> Fraction:
        return amount(text, self.decimals)

    def answer(self, request: PaymentRequest, facts: Facts) -> Answer:
        case = Case(self, request, facts)
        case.tiers()
        case.standing()
        case.payee()
        case.limits()
        case.money()
        case.around()
        for rule in self.tree.get("rules", []):
            holds = case.condition(rule["when"])
            case.consider(None if holds is None else not holds, rule["then"])
        case.floor()
        return case.answer


@cache
def amount(text: str, decimals: int) -> Fraction:
    return Fraction(text.split()[0]) * 10**decimals


@cache
def seconds(text: str) -> int:
    number, unit = text.split()
    return int(number) * UNITS[unit]


class Case:
    """One payment before the policy."""

    def __init__(self, oracle: Oracle, request: PaymentRequest, facts: Facts) -> None:
        self.oracle, self.tree, self.request, self.facts = oracle, oracle.tree, request, facts
        self.answer = Answer()
        self.amount = request.reporting_amount_minor
        price = facts.price
        if price is not None and price.numerator > 0 and price.denominator > 0:
            whole = Fraction(request.amount_minor, 10**request.decimals)
            worth = whole * Fraction(price.numerator, price.denominator) * 10**oracle.decimals
            self.amount = max(self.amount, ceil(worth))

    # --- how answers are given

    def deny(self, for_good: bool = True) -> None:
        self.answer.denied = True
        self.answer.for_good = self.answer.for_good or for_good

    def give(self, phrase: str) -> None:
        if phrase in ("deny", "wait"):
            self.deny(phrase == "deny")
            return
        phrase = phrase.removeprefix("ask ")
        groups, _, within = phrase.partition(" within ")
        expiry = within or self.tree["approvals"]["expire_after"]
        self.answer.expiries.append(seconds(expiry))
        wanted = [self.way(text) for text in groups.split(", or ")]
        self.answer.ways = [
            {key: max(before.get(key, 0), way.get(key, 0)) for key in {**before, **way}}
            for before in self.answer.ways
            for way in wanted
        ]

    def way(self, text: str) -> Way:
        counts: Way = {}
        for group in text.split(" and "):
            count, _, roles = group.partition(" of ")
            key = tuple(sorted(set(roles.split(" or "))))
            counts[key] = counts.get(key, 0) + int(count)
        return counts

    def consider(self, fine: bool | None, phrase: str) -> None:
        """None: the fact is missing, so the payment is denied for now."""
        if fine is None:
            self.deny(False)
        elif not fine:
            self.give(phrase)

    def fresh(self, as_of: datetime, limit: str) -> bool:
        return abs((self.request.now - as_of) / timedelta(seconds=1)) <= seconds(limit)

    def floor(self) -> None:
        """What no file can take away: people behind whoever answered for the invoice."""
        bill, people = self.facts.purchase, 0
        if bill is not None and bill.state not in ("no_order", "matched"):
            people = 2
            if bill.accepted_by is None:
                self.deny()
        elif self.facts.review is not None:
            people = 1
        if people and not self.answer.expiries:
            self.answer.expiries.append(72 * 3_600)
        for way in self.answer.ways:
            lacking = people - sum(way.values())
            if lacking > 0:
                way["approver", "cfo"] = way.get(("approver", "cfo"), 0) + lacking

    # --- the sections of a policy file

    def tiers(self) -> None:
        for tier in self.tree["tiers"]:
            if tier["up_to"] == "any amount" or self.amount <= self.oracle.minor(tier["up_to"]):
                self.answer.permitted = True
                if tier["then"] != "pay without asking":
                    self.give(tier["then"])
                return

    def standing(self) -> None:
        request, facts, ages = self.request, self.facts, self.tree["max_age"]
        self.consider(None if facts.frozen is None else not facts.frozen, "wait")
        self.consider(self.fresh(facts.as_of, ages["ledger"]), "wait")
        if request.reporting_currency != self.tree["reporting"]["currency"]:
            self.deny()
        pair = {"asset": request.asset, "chain": str(request.chain_id)}
        if pair not in self.tree["pay_in"]:
            self.deny()
        price = facts.price
        if price is None:
            self.deny(False)
            return
        if (price.asset, price.reporting_currency) != (
            request.asset,
            request.reporting_currency,
        ) or not self.fresh(price.as_of, ages["price"]):
            self.deny(False)
        if not price.in_peg_band:
            self.deny()

    def payee(self) -> None:
        request, payee, terms = self.request, self.facts.payee, self.tree["payees"]
        if payee is None:
            self.deny(False)
        else:
            if payee.state != "verified" or payee.address_state != "verified":
                self.deny()
            if payee.cooling_off_until is not None and request.now < payee.cooling_off_until:
                self.deny()
        if "young" in terms:
            for word, name in (("payee_under", "since"), ("address_under", "address_since")):
                if word in terms["young"]:
                    age = self.age(name)
                    fine = None if age is None else age >= seconds(terms["young"][word])
                    self.consider(fine, terms["young"]["then"])
        history = self.facts.history
        if "first_payment" in terms:
            fine = None if history is None else history.to_address >= 1
            self.consider(fine, terms["first_payment"]["then"])
        if "off_pattern" in terms:
            wanted = terms["off_pattern"]
            usual: bool | None = None
            if history is not None:
                spread = max(history.spread_minor, history.median_minor // 10)
                most = history.median_minor + int(wanted["spreads"]) * spread
                usual = history.payments < int(wanted["payments"]) or self.amount <= most
            self.consider(usual, wanted["then"])
        others = self.facts.duplicates
        if others is None:
            self.deny(False)
        elif any(other.kind != "near" for other in others):
            self.deny()
        elif others:
            self.give(self.tree["duplicates"]["near"])

    def age(self, name: str) -> Fraction | None:
        since = None if self.facts.payee is None else getattr(self.facts.payee, name)
        if since is None:
            return None
        return Fraction((self.request.now - since) // timedelta(microseconds=1), 10**6)

    def limits(self) -> None:
        limits = self.tree.get("limits", {})
        for limit in limits.get("per_payment", []):
            if limit.get("for", self.request.initiator_kind) != self.request.initiator_kind:
                fine: bool | None = True
            elif limit.get("asset", self.request.asset) != self.request.asset:
                fine = True
            else:
                fine = self.amount <= self.oracle.minor(limit["at_most"])
            self.consider(self.where(limit, fine), "deny")
        if "rolling_24h" in limits:
            window = self.facts.spent_24h
            self.sum(window, limits["rolling_24h"]["at_most"])
        for limit in limits.get("windows", []):
            holds = self.where(limit, False)
            if holds is None:
                self.deny(False)
            elif not holds:
                self.window(limit["by"], limit["over"], limit["at_most"])
        for budget in self.tree.get("budgets", []):
            self.window("category", budget["over"], budget["at_most"], budget["category"])
        if "batch" in limits:
            batch = self.facts.batch
            fine = None if batch is None else batch <= int(limits["batch"]["at_most"])
            self.consider(fine, "deny")
        for word, steps in self.tree.get("ramp", {}).items():
            self.ramp(word, steps)

    def where(self, limit: Tree, fine: bool | None) -> bool | None:
        """A limit with `when` is fine where that does not hold, unknown where it cannot be told."""
        if "when" not in limit:
            return fine
        holds = self.condition(limit["when"])
        return None if holds is None else (fine if holds else True)

    def window(self, by: str, over: str, at_most: str, category: str | None = None) -> None:
        if by == "agent" and self.request.initiator_kind != "agent":
            return
        if by == "category":
            payee = self.facts.payee
            if payee is None or payee.category is None:
                self.deny(False)
                return
            if payee.category == "" or category not in (None, payee.category):
                return
        found = [
            one
            for one in self.facts.windows or ()
            if one.window.scope == by and one.window.period == over
        ]
        self.sum(found[0] if found else None, at_most)

    def sum(self, window: Any, at_most: str) -> None:
        if window is None or not self.fresh(window.as_of, self.tree["max_age"]["ledger"]):
            self.deny(False)
        elif window.sum_minor + self.amount > self.oracle.minor(at_most):
            self.deny()

    def ramp(self, word: str, steps: list[Tree]) -> None:
        policy_since = self.facts.policy_since
        if word == "new_policy":
            age = None
            if policy_since is not None:
                age = Fraction(
                    (self.request.now - policy_since) // timedelta(microseconds=1), 10**6
                )
        else:
            age = self.age("address_since")
        if age is None:
            self.deny(False)
            return
        for step in steps:
            if age < seconds(step["under"]):
                by = "organization" if word == "new_policy" else "payee"
                self.window(by, "24 h", step["at_most"])
                return

    def money(self) -> None:
        request, facts = self.request, self.facts
        available, left = facts.available_minor, facts.invoice_open_minor
        self.consider(None if available is None else request.amount_minor <= available, "wait")
        if request.invoice_id is not None:
            self.consider(None if left is None else request.amount_minor <= left, "deny")
        if "runway" not in self.tree:
            return
        terms, runway = self.tree["runway"], facts.runway
        if runway is None or not self.fresh(runway.as_of, terms["max_age"]):
            self.deny(False)
        elif runway.cash_minor is None or runway.burn_monthly_minor is None:
            self.give(terms["ask"])
        else:
            after, burn = runway.cash_minor - self.amount, runway.burn_monthly_minor
            if after < 0:
                self.deny()
            elif burn > 0:
                days = Fraction(after * 30, burn)
                if days < int(terms["deny_below"].split()[0]):
                    self.deny()
                elif days < int(terms["ask_below"].split()[0]):
                    self.give(terms["ask"])

    def around(self) -> None:
        request, facts, tree = self.request, self.facts, self.tree
        if "evidence" in tree:
            codes = facts.evidence
            fine = None if codes is None else not set(codes) & set(tree["evidence"]["findings"])
            self.consider(fine, tree["evidence"]["then"])
        if "initiators" in tree:
            terms = tree["initiators"]
            if request.initiator_kind not in terms["kinds"]:
                self.deny()
            elif request.initiator_kind == "human" and "roles" in terms:
                roles = facts.initiator_roles
                self.consider(
                    None if roles is None else bool(set(roles) & set(terms["roles"])), "deny"
                )
        if "hours" in tree:
            terms, local = tree["hours"], facts.local_time
            inside = None
            if local is not None and local.zone == terms["zone"]:
                day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[local.weekday - 1]
                clock = f"{local.minute // 60:02}:{local.minute % 60:02}"
                inside = day in terms["days"] and terms["from"] <= clock < terms["to"]
                inside = inside and local.date not in terms.get("holidays", [])
            self.consider(inside, terms["outside"])
        if "network" in tree:
            self.network(tree["network"])
        if "sanctions" in tree:
            found = facts.sanctions
            if found is not None and found.hits:
                self.deny()
            elif found is None or not self.fresh(found.as_of, tree["sanctions"]["max_age"]):
                self.deny(False)

    def network(self, terms: Tree) -> None:
        found = self.facts.network
        if found is None or not self.fresh(found.as_of, terms["max_age"]):
            self.deny(False)
            return
        if "head_age" in terms and not self.fresh(found.head_at, terms["head_age"]):
            self.deny(False)
        most = terms.get("gas_at_most")
        if most and found.gas_price_wei > Fraction(most.split()[0]) * 10**9:
            self.deny(False)

    # --- conditions

    def condition(self, node: Tree) -> bool | None:
        """None when any fact that it names is missing, whatever the rest says."""
        known: list[bool | None] = []
        for key, value in node.items():
            if key == "not":
                inner = self.condition(value)
                known.append(None if inner is None else not inner)
            elif key in ("all", "any"):
                parts = [self.condition(part) for part in value]
                if None in parts:
                    known.append(None)
                else:
                    known.append(all(parts) if key == "all" else any(parts))
            else:
                known.append(self.test(key, value))
        return None if None in known else all(known)

    def test(self, key: str, value: Any) -> bool | None:
        words = value if isinstance(value, list) else [value]
        found = self.field(key)
        if found is None:
            return None
        if key == "amount":
            word, bound = (
                value[:6],
                self.oracle.minor(value.split(" ", 1 + value.startswith("at"))[-1]),
            )
            return found > bound if word == "above " else found <= bound
        if key.endswith("_age"):
            bound = seconds(value.replace("at least ", "").replace("under ", ""))
            return found >= bound if value.startswith("at least") else found < bound
        if key.startswith("payments_"):
            bound = int(value.split()[-1])
            return found >= bound if value.startswith("at least") else found < bound
        if isinstance(found, tuple):
            return bool(set(found) & set(words))
        return found in words

    def field(self, key: str) -> Any:
        request, facts = self.request, self.facts
        if key in ("payee_age", "address_age"):
            age = self.age("since" if key == "payee_age" else "address_since")
            return None if age is None else max(Fraction(0), age)
        if key == "category":
            payee = facts.payee
            return None if payee is None or payee.category is None else payee.category or "none"
        if key.startswith("payments_"):
            history = facts.history
            if history is None:
                return None
            return history.payments if key == "payments_to_payee" else history.to_address
        plain = {
            "amount": self.amount,
            "asset": request.asset,
            "network": str(request.chain_id),
            "payee": request.payee_id,
            "recipient": request.recipient,
            "initiator": request.initiator_id,
            "initiator_kind": request.initiator_kind,
            "role": facts.initiator_roles,
            "evidence": facts.evidence,
        }
        return plain[key]
