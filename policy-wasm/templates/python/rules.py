"""Who sees whom. README.md says how to try the rules and how to make policy.wasm of them."""

from typing import Optional

from wit_world import exports
from wit_world.imports.types import Change, Context, Manifest, RowFilter, Rows, Verdicts

from kit import Ask, Table, is_, managed, no_settings, shares_group, status

# The fields of people that this policy has thought about; whatever is not named here is withheld.
FIELDS = [
    "user.userName",
    "user.displayName",
    "user.givenName",
    "user.familyName",
    "user.title",
    "user.email",
    "user.phone",
    "user.status",
]


def people(ask: Ask) -> Table:
    """Who sees whom, most generous rule first: the first rule that somebody passes decides their fields."""
    return (
        Table("user", FIELDS)
        .allow("this is you", [is_("self")])
        .allow("you manage a group above", [managed(ask)])
        .allow("shares your group", [shares_group(ask), status("active")], without=["phone"])
        .allow("works here", [status("active")], without=["email", "phone"])
    )


class Decide(exports.Decide):
    """The four questions of the contract, wit/policy.wit."""

    def describe(self) -> Manifest:
        return Manifest(
            name="my-policy",
            version="1.0.0",
            summary="Everybody sees who works here; how to reach them is for colleagues and managers.",
            # The columns that the terms above read; each term's comment in kit.py says which.
            needs=["rows.self", "rows.managed-by-me", "rows.shares-group", "rows.status"],
            # What this policy decides; every other action is left to the policy that ships with the server.
            decides=["user.read"],
            otherwise="standard",
            fields=FIELDS,
            notes=[],
        )

    def validate_settings(self, settings: str) -> None:
        no_settings(settings)

    def scope(self, context: Context, kind: str) -> RowFilter:
        return people(Ask(context)).filter(kind)

    def check(self, context: Context, rows: Rows, change: Optional[Change]) -> Verdicts:
        return people(Ask(context)).verdicts(rows)
