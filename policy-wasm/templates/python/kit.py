"""Between the contract's columns and rules that read like a table. The contract is wit/policy.wit.

One table answers both questions: which rows a list may contain (`filter`, which the server runs in its database), and what is shown of
each (`verdicts`, computed from the columns). A column that is missing, or a value that is not there, makes the terms over it false,
negated or not; a row that no rule admits is denied. To add a term, write the test's name as the server's register has it, and how a row
answers it.
"""

from dataclasses import dataclass, replace
from typing import Callable, Iterable, List, Optional

from componentize_py_types import Err
from wit_world.imports import types
from wit_world.imports.types import Column, Context, RowFilter, Rows, Test, Verdict, Verdicts

# "Unassigned" in a column.
UNASSIGNED = 0xFFFFFFFF

NO_RULE = "no rule opens this to you"

# What a row answers: yes, no, or None where nobody can know.
Answer = Callable[[int], Optional[bool]]


@dataclass(frozen=True)
class Term:
    """One test of a row, or its opposite, for both sides: as it goes to the server, and as the columns answer it."""

    test: Test
    # Looks columns up once, so that a row costs little.
    read: Callable[[Rows], Answer]
    # No row can pass the test.
    empty: bool = False
    negate: bool = False

    @property
    def impossible(self) -> bool:
        return self.empty and not self.negate

    @property
    def wire(self) -> types.Term:
        return types.Term(negate=self.negate, test=self.test)

    def over(self, rows: Rows) -> Callable[[int], bool]:
        """Whether a row passes; what nobody can know never does."""
        wanted, answer = not self.negate, self.read(rows)
        return lambda row: answer(row) is wanted


@dataclass(frozen=True)
class Rule:
    """One line of a table."""

    reason: str
    terms: List[Term]
    withheld: List[str]


class Table:
    """Who may read which rows of one kind."""

    def __init__(self, kind: str, fields: List[str]) -> None:
        """Without rules, nothing may be read. `fields` are the manifest's."""
        self._kind, self._fields = kind, fields
        self._rules: List[Rule] = []

    def allow(self, reason: str, terms: List[Term], without: Iterable[str] = ()) -> "Table":
        """Admits the rows that pass every term, all rows if there is none, without these fields: `email`, `attributes.*`."""
        self._rules.append(Rule(reason, terms, list(without)))
        return self

    def filter(self, kind: str) -> RowFilter:
        """The answer to `scope`. Only fields that no rule withholds are searchable: whoever can search a field can find out its value."""
        rules = self._effective() if kind == self._kind else []
        everything = any(not rule.terms for rule in rules)
        return RowFilter(
            any_of=[[]] if everything else [[term.wire for term in rule.terms] for rule in rules],
            exact=True,
            searchable=self._searchable([field for rule in rules for field in rule.withheld]) if rules else [],
            reason="; ".join(dict.fromkeys(rule.reason for rule in rules)) if rules else NO_RULE,
            notes=[],
        )

    def verdicts(self, rows: Rows) -> Verdicts:
        """The answer to `check`."""
        rules = self._effective() if rows.kind == self._kind else []
        tests = [(number, [term.over(rows) for term in rule.terms]) for number, rule in enumerate(rules, 1)]

        def first(row: int) -> int:
            for number, terms in tests:
                if all(passes(row) for passes in terms):
                    return number
            return 0

        # The first entry of the table denies.
        denied = Verdict(allow=False, withheld=[], reason=NO_RULE, notes=[])
        allowed = [Verdict(allow=True, withheld=rule.withheld, reason=rule.reason, notes=[]) for rule in rules]
        return Verdicts(table=[denied, *allowed], rows=[first(row) for row in range(rows.len)])

    def _effective(self) -> List[Rule]:
        """The rules that can decide a row: none that nobody passes, none below one that everybody passes."""
        effective: List[Rule] = []
        for rule in self._rules:
            if not any(term.impossible for term in rule.terms):
                effective.append(rule)
                if not rule.terms:
                    break
        return effective

    def _searchable(self, withheld: List[str]) -> List[str]:
        if not withheld:
            return ["*"]
        known = [field.removeprefix(f"{self._kind}.") for field in self._fields if field.startswith(f"{self._kind}.")]
        # `attributes.*` is one name for all of them, so withholding any attribute takes it away.
        attributes = {"attributes.*"} if any(name.startswith("attributes.") for name in withheld) else set()
        return [field for field in known if field not in attributes.union(withheld)]


class Ask:
    """Who asks for what."""

    def __init__(self, context: Context) -> None:
        self.context = context

    @property
    def groups(self) -> List[int]:
        """The subject's direct groups, as positions in `context.groups`."""
        return self.context.subject.groups

    @property
    def manages(self) -> List[int]:
        """The groups that the subject manages."""
        return self.context.subject.manages

    def facts(self, name: str) -> List[str]:
        """The subject's facts of that name, such as `attributes.project`."""
        return [fact.value for fact in self.context.subject.facts if fact.name == name]


def is_(test: str) -> Term:
    """A test without arguments: `self`, `created-by-me`. Needs the column of the same name."""
    return Term(Test(test, [], []), _flag(test))


def shares_group(ask: Ask) -> Term:
    """Shares a direct group with the subject. Needs `rows.shares-group`."""
    return _of_groups("in-group", ask.groups, "shares-group")


def below_my_groups(ask: Ask) -> Term:
    """In or below a direct group of the subject. Needs `rows.below-my-groups`."""
    return _of_groups("under-group", ask.groups, "below-my-groups")


def managed(ask: Ask) -> Term:
    """In or below a group that the subject manages. Needs `rows.managed-by-me`."""
    return _of_groups("under-group", ask.manages, "managed-by-me")


def status(*statuses: str) -> Term:
    """Has one of these statuses. Needs `rows.status`."""
    return Term(Test("status", [], list(statuses)), _text("status", statuses), empty=not statuses)


def attribute(name: str, values: List[str]) -> Term:
    """Has one of `values`, folded, of a custom attribute. Needs `rows.attributes.NAME`."""
    return Term(Test("attribute", [], [name, *values]), _texts(f"attributes.{name}", values), empty=not values)


def not_(term: Term) -> Term:
    """The opposite; still false where nobody can know."""
    return replace(term, negate=not term.negate)


def no_settings(settings: str) -> None:
    """For a policy that has no settings: accepts none. Settings are refused by raising every error at once."""
    if settings.strip() not in ("", "{}"):
        raise Err(["this policy has no settings; leave them empty"])


def _of_groups(test: str, groups: List[int], column: str) -> Term:
    """A test of groups that a flag column of the row answers already."""
    return Term(Test(test, list(groups), []), _flag(column), empty=not groups)


def _nobody_knows(_row: int) -> Optional[bool]:
    return None


def _find(rows: Rows, name: str) -> Optional[Column]:
    return next((column for column in rows.columns if column.name == name), None)


def _flag(name: str) -> Callable[[Rows], Answer]:
    """One yes or no a row."""

    def read(rows: Rows) -> Answer:
        column = _find(rows, name)
        if column is None:
            return _nobody_knows
        items, known = column.items, {0: False, 1: True}
        return lambda row: known.get(items[row])

    return read


def _text(name: str, values: Iterable[str]) -> Callable[[Rows], Answer]:
    """At most one text a row."""

    def read(rows: Rows) -> Answer:
        column = _find(rows, name)
        if column is None:
            return _nobody_knows
        # Unassigned is no position in the dictionary.
        hits = {position: text in values for position, text in enumerate(column.dictionary)}
        items = column.items
        return lambda row: hits.get(items[row])

    return read


def _texts(name: str, values: Iterable[str]) -> Callable[[Rows], Answer]:
    """Any number of texts a row."""

    def read(rows: Rows) -> Answer:
        column = _find(rows, name)
        if column is None:
            return _nobody_knows
        hits = {position: text in values for position, text in enumerate(column.dictionary)}
        # Without ends, each row has exactly one item.
        ends = column.ends or range(1, rows.len + 1)

        def answer(row: int) -> Optional[bool]:
            start = ends[row - 1] if row > 0 else 0
            own = [item for item in column.items[start : ends[row]] if item != UNASSIGNED]
            return any(hits[item] for item in own) if own else None

        return answer

    return read
