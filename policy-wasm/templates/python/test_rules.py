import unittest

from componentize_py_types import Err
from rules import Decide
from world import World

WORLD = (
    World()
    .group("sales")
    .group("sales/north")
    .group("research")
    .person("ada", manages=["sales"])
    .person("bob", member_of=["north"])
    .person("cleo", member_of=["north"])
    .person("dan", member_of=["research"])
    .person("eve", member_of=["north"], status="suspended")
)


class Rules(unittest.TestCase):
    decide = Decide()

    def test_everybody_sees_who_works_here(self) -> None:
        self.assertEqual(WORLD.visible(self.decide, "dan"), ["ada", "bob", "cleo", "dan"])

    def test_managers_also_see_who_is_suspended_below_them(self) -> None:
        self.assertEqual(WORLD.visible(self.decide, "ada"), ["ada", "bob", "cleo", "dan", "eve"])

    def test_how_to_reach_people_is_for_colleagues_and_managers(self) -> None:
        self.assertEqual(WORLD.verdict(self.decide, "ada", "bob").withheld, [])
        self.assertEqual(WORLD.verdict(self.decide, "bob", "cleo").withheld, ["phone"])
        self.assertEqual(WORLD.verdict(self.decide, "bob", "dan").withheld, ["email", "phone"])
        self.assertEqual(WORLD.verdict(self.decide, "bob", "dan").reason, "works here")

    def test_scope_and_check_say_the_same_of_everybody(self) -> None:
        self.assertEqual(WORLD.disagreements(self.decide), [])

    def test_there_are_no_settings(self) -> None:
        self.decide.validate_settings("")
        with self.assertRaises(Err) as refused:
            self.decide.validate_settings('{"mode": "strict"}')
        self.assertIn("has no settings", refused.exception.value[0])


if __name__ == "__main__":
    unittest.main()
