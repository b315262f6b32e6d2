import assert from "node:assert/strict";
import { test } from "node:test";

import { decide } from "./rules.js";
import { World } from "./world.js";

const world = new World()
  .group("sales")
  .group("sales/north")
  .group("research")
  .person("ada", { manages: ["sales"] })
  .person("bob", { memberOf: ["north"] })
  .person("cleo", { memberOf: ["north"] })
  .person("dan", { memberOf: ["research"] })
  .person("eve", { memberOf: ["north"], status: "suspended" });

test("everybody sees who works here", () => {
  assert.deepEqual(world.visible(decide, "dan"), ["ada", "bob", "cleo", "dan"]);
});

test("managers also see who is suspended below them", () => {
  assert.deepEqual(world.visible(decide, "ada"), ["ada", "bob", "cleo", "dan", "eve"]);
});

test("how to reach people is for colleagues and managers", () => {
  assert.deepEqual(world.verdict(decide, "ada", "bob").withheld, []);
  assert.deepEqual(world.verdict(decide, "bob", "cleo").withheld, ["phone"]);
  assert.deepEqual(world.verdict(decide, "bob", "dan").withheld, ["email", "phone"]);
  assert.equal(world.verdict(decide, "bob", "dan").reason, "works here");
});

test("scope and check say the same of everybody", () => {
  assert.deepEqual(world.disagreements(decide), []);
});

test("there are no settings", () => {
  assert.equal(decide.validateSettings(""), undefined);
  assert.throws(() => decide.validateSettings('{"mode": "strict"}'), (errors) => /has no settings/.test(errors[0]));
});
