"""A pretend workspace of people and groups, so that a policy's tests are ordinary unit tests.

Only the columns that the manifest needs are filled, as in the server, so a forgotten need fails a test. Scopes are judged by what is in
this world, never by the columns. A column or a test that the world does not know is an error: add it to `COLUMNS` or `TESTS`.
"""

from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Dict, Iterable, List, Optional

from wit_world.imports.types import Column, Context, Fact, Rows, Subject, Term, Verdict

from kit import UNASSIGNED


@dataclass(frozen=True)
class Person:
    """Somebody of the workspace."""

    name: str
    status: str
    groups: List[str]
    manages: List[str]
    attributes: Dict[str, str]


class World:
    """To begin with, there is nobody."""

    def __init__(self) -> None:
        # The key of each group, and that of the group above.
        self._groups: Dict[str, Optional[str]] = {}
        self._people: Dict[str, Person] = {}

    def group(self, path: str) -> "World":
        """A group: `key`, or `above/key` below a group that is already there. Elsewhere it is named by its key alone."""
        *above, key = path.split("/")
        self._known_group(*above[-1:])
        self._groups[key] = above[-1] if above else None
        return self

    def person(
        self,
        name: str,
        member_of: Iterable[str] = (),
        manages: Iterable[str] = (),
        status: str = "active",
        attributes: Optional[Dict[str, str]] = None,
    ) -> "World":
        """Somebody of the workspace. Who manages a group is also a member of it."""
        groups = list(dict.fromkeys([*member_of, *manages]))
        self._known_group(*groups)
        self._people[name] = Person(name, status, groups, list(manages), attributes or {})
        return self

    def visible(self, decide: Any, caller: str) -> List[str]:
        """The names of those whom the policy lets somebody see."""
        return [name for name in self._people if self.verdict(decide, caller, name).allow]

    def verdict(self, decide: Any, caller: str, name: str) -> Verdict:
        """What the policy says when `caller` looks at `name`."""
        answer = decide.check(self._context(caller), self._rows(decide, caller), None)
        assert len(answer.rows) == len(self._people), f"{len(answer.rows)} verdicts for {len(self._people)} rows"
        return answer.table[answer.rows[list(self._people).index(name)]]

    def disagreements(self, decide: Any) -> List[str]:
        """Where `scope` and `check` contradict each other, in words: the server would withhold such a row from everybody."""
        found = []
        for caller in self._people:
            scope = decide.scope(self._context(caller), "user")
            for name in self._people:
                verdict = self.verdict(decide, caller, name)
                listed = any(all(self._passes(term, caller, name) for term in terms) for terms in scope.any_of)
                if verdict.allow != listed:
                    found.append(f"{caller} on {name}: scope {listed}, check {verdict.allow} ({verdict.reason})")
                open_ = [field for field in verdict.withheld if verdict.allow and {"*", field}.intersection(scope.searchable)]
                found.extend(f"{caller} on {name}: `{field}` is withheld but searchable" for field in open_)
        return found

    def under(self, key: Optional[str], groups: List[str]) -> bool:
        """Whether a group is, or is below, one of those."""
        return key is not None and (key in groups or self.under(self._groups[key], groups))

    def _known_group(self, *keys: str) -> None:
        for key in keys:
            assert key in self._groups, f"there is no group `{key}`"

    def _context(self, caller: str) -> Context:
        person, keys = self._people[caller], list(self._groups)
        parents = [UNASSIGNED if above is None else keys.index(above) for above in self._groups.values()]
        facts = {"id": caller, "via": "graphql", "status": person.status}
        facts.update({f"attributes.{name}": value for name, value in person.attributes.items()})
        return Context(
            action="user.read",
            now_ms=1_800_000_000_000,
            settings="",
            subject=Subject(
                kind="user",
                groups=[keys.index(key) for key in person.groups],
                manages=[keys.index(key) for key in person.manages],
                grants=[],
                permissions=[],
                facts=[Fact(name, value) for name, value in facts.items()],
            ),
            groups=Rows("group", len(keys), [Column("parent", [], [], parents)], []),
            roles=Rows("role", 0, [], []),
            facts=[],
        )

    def _rows(self, decide: Any, caller: str) -> Rows:
        people = list(self._people.values())
        needs = [need.removeprefix("rows.") for need in decide.describe().needs if need.startswith("rows.")]
        return Rows("user", len(people), [self._column(need, people, self._people[caller]) for need in needs], [])

    def _column(self, need: str, people: List[Person], caller: Person) -> Column:
        if need.startswith("attributes."):
            values = [person.attributes.get(need.removeprefix("attributes.")) for person in people]
            return _texts(need, [[] if value is None else [value] for value in values])
        assert need in COLUMNS, f"the world does not know the column `rows.{need}`; add it to COLUMNS in world.py"
        return COLUMNS[need](self, need, people, caller)

    def _passes(self, term: Term, caller: str, name: str) -> bool:
        test = term.test
        assert test.name in TESTS, f"the world does not know the test `{test.name}`; add it to TESTS in world.py"
        groups = [list(self._groups)[position] for position in test.groups]
        holds = TESTS[test.name](self, self._people[name], self._people[caller], groups, test.values)
        return holds is not None and holds != term.negate


def _flags(name: str, holds: Iterable[bool]) -> Column:
    return Column(name, [], [], [int(flag) for flag in holds])


def _text(name: str, values: List[str]) -> Column:
    """One text each."""
    dictionary = list(dict.fromkeys(values))
    return Column(name, dictionary, [], [dictionary.index(value) for value in values])


def _texts(name: str, lists: List[List[str]]) -> Column:
    """Any number of texts each."""
    values = [value for own in lists for value in own]
    dictionary = list(dict.fromkeys(values))
    return Column(name, dictionary, list(accumulate(len(own) for own in lists)), [dictionary.index(value) for value in values])


# How each column of people is filled, as the server's register describes it.
COLUMNS = {
    "self": lambda world, name, people, caller: _flags(name, (person is caller for person in people)),
    "status": lambda world, name, people, caller: _text(name, [person.status for person in people]),
    "shares-group": lambda world, name, people, caller: _flags(
        name, (any(key in caller.groups for key in person.groups) for person in people)
    ),
    "below-my-groups": lambda world, name, people, caller: _flags(
        name, (any(world.under(key, caller.groups) for key in person.groups) for person in people)
    ),
    "managed-by-me": lambda world, name, people, caller: _flags(
        name, (any(world.under(key, caller.manages) for key in person.groups) for person in people)
    ),
}

# What each test says of somebody; None where nobody can know.
TESTS = {
    "self": lambda world, person, caller, groups, values: person is caller,
    "status": lambda world, person, caller, groups, values: person.status in values,
    "in-group": lambda world, person, caller, groups, values: any(key in groups for key in person.groups),
    "under-group": lambda world, person, caller, groups, values: any(world.under(key, groups) for key in person.groups),
    "attribute": lambda world, person, caller, groups, values: (
        person.attributes[values[0]] in values[1:] if values[0] in person.attributes else None
    ),
}
