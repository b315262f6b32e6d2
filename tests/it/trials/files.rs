//! What a file may say, and that every mistake in it is told at once, each with its line.

use bailiwick::trials::check;
use directory::limits::{GROUP_DEPTH, TEST_MISTAKES, TESTS_BYTES};

/// Three people, a tree of three groups, and a role.
pub(super) const WORLD: &str = "
groups = ['sales/field', 'it']
[roles]
helpdesk = ['user.read', 'user.suspend']
[people]
ada = { roles = 'administrator' }
bob = { groups = 'sales', roles = ['helpdesk@sales', 'helpdesk'] }
cyd = { manages = 'field', status = 'suspended' }
";

/// What a file has in place of expectations where it is about something else.
const EXPECTS: &str = "\n[lists]\nada.user = 'ada'\n";

/// The mistakes of a file: their lines, and that each of their texts has that part.
#[track_caller]
fn refuses(text: &str, expected: &[(usize, &str)]) {
    let mistakes = check(text).expect_err(text);
    let lines: Vec<String> = expected.iter().map(|(line, _)| format!("line {line}")).collect();
    assert_eq!(mistakes.iter().map(|mistake| mistake.place.clone()).collect::<Vec<_>>(), lines, "{text}\n{mistakes:#?}");
    for (mistake, (_, part)) in mistakes.iter().zip(expected) {
        assert!(mistake.problem.contains(part), "`{}` does not say `{part}`", mistake.problem);
    }
}

/// The same for what is appended to the world, whose lines are counted from 1 again.
#[track_caller]
fn refuses_of_world(text: &str, expected: &[(usize, &str)]) {
    let before = WORLD.matches('\n').count();
    let expected: Vec<(usize, &str)> = expected.iter().map(|(line, part)| (line + before, *part)).collect();
    refuses(&format!("{WORLD}{text}"), &expected);
}

#[test]
fn expectations_are_counted() {
    let count = |text: &str| check(&format!("{WORLD}{text}")).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:#?}"));
    for (text, expected) in [
        ("[lists]\nada.user = 'ada'\nbob = { user = ['bob', 'ada'], group = [], grant = '*' }", 4),
        ("[[expect]]\nsubjects = 'ada'\nactions = 'user.read'\nresources = 'user:*'", 3),
        ("[[expect]]\nsubjects = '*'\nactions = ['user.read', 'user.update']\nresources = ['user:ada', 'user:bob']", 8),
        // An action is asked of what it can be asked of.
        ("[[expect]]\nsubjects = 'ada'\nactions = ['user.read', 'group.read']\nresources = ['user:*', 'group:*', 'workspace']", 8),
        ("[[expect]]\nsubjects = 'ada'\nactions = 'membership.add'\nresources = ['user:*', 'group:*', 'membership:*', 'workspace']", 9),
    ] {
        assert_eq!(count(text), expected, "{text}");
    }
    let all = directory::register::actions().count();
    assert_eq!(count("[[expect]]\nsubjects = 'ada'\nactions = '*'\nresources = 'workspace'"), all);
    let cells = "[[expect]]\nsubjects = ['ada', 'bob']\nactions = 'user.*'\nresources = 'user:*'\n";
    assert_eq!(count(&format!("{cells}allow = ['ada *', 'bob user.read user:bob', 'bob user.update *']")), 2 * 8 * 3);
}

#[test]
fn resources_go_by_many_names() {
    let resources = [
        "user:ada",
        "user:ADA",
        "group:field",
        "role:member",
        "role:helpdesk",
        "membership:bob/sales",
        "membership:cyd/field",
        "grant:ada/administrator",
        "grant:bob/helpdesk@sales",
        "grant:bob/helpdesk",
        "workspace",
    ];
    for resource in resources {
        let kind = resource.split(':').next().unwrap();
        let text = format!("{WORLD}[[expect]]\nsubjects = 'ada'\nactions = '{kind}.read'\nresources = '{resource}'");
        assert_eq!(check(&text), Ok(1), "{resource}");
    }
    let limited = "groups = ['x']\nroles.r = []\npeople.ada.roles = 'r@x'\n";
    let text = format!("{limited}[[expect]]\nsubjects = 'ada'\nactions = 'grant.read'\nresources = 'grant:ada/r'");
    assert_eq!(check(&text), Ok(1), "the only one is not told from others");
}

#[test]
fn what_is_no_file_of_tests_is_refused() {
    refuses("", &[(1, "expects nothing")]);
    refuses("# nothing\n\n[people]\nada = {}\n", &[(1, "expects nothing")]);
    refuses("a = 1\nb = \n", &[(2, "no TOML")]);
    refuses("[people]\nada = {}\nada = {}\n", &[(3, "no TOML")]);
    refuses("people = 1\nexpect = 'x'\nlists = []", &[(1, "a number"), (2, "a text"), (3, "a list")]);
    let large = format!("# {}\n{EXPECTS}", "x".repeat(TESTS_BYTES));
    refuses(&large, &[(1, "and may have 262144")]);
    let fits = format!("people.ada = {{}}\nlists.ada.user = 'ada'\n#{}", " ".repeat(TESTS_BYTES - 46));
    assert!(fits.len() <= TESTS_BYTES && check(&fits) == Ok(1), "{:?}", check(&fits));
    for deep in [format!("a = {}1{}", "[".repeat(5_000), "]".repeat(5_000)), format!("{}x = 1", "a.".repeat(5_000))] {
        assert_eq!(check(&deep).unwrap_err().len(), 1, "it is not followed as deep as one likes");
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    refuses_of_world(
        "[[expect]]
subjects = ['adda', 'cyd']
actions = ['user.raed', 'group.read']
resources = ['user:eve', 'usr:ada', 'ada', 'group:*', 'membership:ada/it', 'grant:ada/helpdesk']
alow = []
[lists.bob]
users = []
user = ['nobody', 'ada']
",
        &[
            (2, "did you mean `ada`?"),
            (2, "`cyd` is not active"),
            (3, "did you mean `user.read`?"),
            (4, "`eve` is no person"),
            (4, "did you mean `user`?"),
            (4, "`ada` is no resource"),
            (4, "`ada` is not in group `it`"),
            (4, "`ada` does not hold role `helpdesk`"),
            (5, "did you mean `allow`?"),
            (7, "did you mean `user`?"),
            (8, "`nobody` is no person"),
        ],
    );
    let unknown: String = (0..200).map(|at| format!("key-{at} = 1\n")).collect();
    assert_eq!(check(&unknown).unwrap_err().len(), TEST_MISTAKES, "so many are told, and no more");
}

#[test]
fn entries_name_cells_of_their_matrix_once() {
    let matrix = |entries: &str| {
        format!(
            "[[expect]]\nsubjects = ['ada', 'bob']\nactions = ['user.read', 'user.update']\nresources = ['user:ada', 'user:bob']\n{entries}"
        )
    };
    for (entries, expected) in [
        ("allow = ['ada']", "neither `SUBJECT RESOURCE`"),
        ("allow = [1]", "a number"),
        ("allow = ['ada user:cyd']", "not among the `resources`"),
        ("allow = ['ada user.suspend user:ada']", "not among the `actions`"),
        ("allow = [{ subjects = 'cyd' }]", "is not active"),
        ("allow = [{ subjects = 'bob', hide = [] }]", "did you mean `hides`?"),
        ("allow = ['ada *', 'ada user.read user:bob']", "is named in line 13, too"),
        ("allow = ['ada *']\ndeny = ['ada user:bob']", "is named in line 13, too"),
        ("deny = [{ hides = ['email'] }]", "`hides` is no key of an entry of `deny`"),
        ("allow = [{ hides = ['email'] }]", "name one action `KIND.read`"),
        ("allow = [{ actions = 'user.update', hides = ['email'] }]", "name one action `KIND.read`"),
        ("allow = [{ actions = 'user.read', hides = ['emial'] }]", "did you mean `email`?"),
        ("allow = [{ actions = 'user.read', shows = ['attributes.x'] }]", "no field of a user"),
        ("allow = [{ actions = 'user.read', hides = [], shows = [] }]", "keep one of both"),
        ("allow = [{ actions = 'user.read', reason = 1 }]", "`reason` is a number"),
    ] {
        let mistakes = check(&format!("{WORLD}{}", matrix(entries))).expect_err(entries);
        assert_eq!(mistakes.len(), 1, "{entries}: {mistakes:#?}");
        assert!(mistakes[0].problem.contains(expected), "{entries}: {}", mistakes[0].problem);
    }
    let mixed = "[[expect]]\nsubjects = 'ada'\nactions = ['user.read', 'group.read']\nresources = ['user:ada', 'group:it']\n";
    refuses_of_world(&format!("{mixed}allow = ['ada user.read group:it']"), &[(5, "names no cell")]);
    refuses_of_world("[[expect]]\nsubjects = 'ada'", &[(1, "`actions` is missing"), (1, "`resources` is missing")]);
    let unasked = "[[expect]]\nsubjects = 'ada'\nactions = ['user.read', 'role.update']\nresources = ['user:ada', 'group:it']\n";
    refuses_of_world(unasked, &[(1, "actions `role.*`"), (1, "asked of a group")]);
}

#[test]
fn a_world_has_to_hold_together() {
    for (text, expected) in [
        ("groups = ['a/b', 'b/a']", vec!["is below itself", "is below itself"]),
        ("groups = ['a/a']", vec!["is below itself"]),
        ("groups = [{ key = 'a', parent = 'b' }, { key = 'b', parent = 'a' }]", vec!["below itself", "below itself"]),
        ("groups = ['a/c', 'b/c']", vec!["stands below `a` and below `b`"]),
        ("groups = [{ key = 'a', parent = 'nowhere' }]", vec!["`nowhere` is the key of no group"]),
        ("groups = [{ key = 'a' }, { key = 'A' }]", vec!["stands twice"]),
        ("groups = [{ name = 'a' }]", vec!["has no `key`"]),
        ("groups = [{ key = 'a', nmae = 'b' }]", vec!["did you mean `name`?"]),
        ("groups = ['a b', '/a', '']", vec!["`a b` is none", "is empty", "is empty"]),
        ("groups = ['a', { key = 'b', name = 'A' }]", vec!["the name of a sibling"]),
        ("groups = [1]", vec!["a group is a number"]),
        ("roles.administrator = []", vec!["is built in"]),
        ("roles = { a = [], A = [] }", vec!["stands twice"]),
        ("roles.a = ['user.fly']", vec!["no action of the register"]),
        ("roles.a = { permisions = [] }", vec!["did you mean `permissions`?"]),
        ("people.ada = 1", vec!["a number"]),
        ("people = { ada = {}, ADA = {} }", vec!["stands twice"]),
        ("people.ada.status = 'deleted'", vec!["no status of a person"]),
        ("people.ada.userName = 'x'", vec!["`userName` is no key of a person"]),
        ("people.ada.groups = 'x'", vec!["the key of no group"]),
        ("people.ada.roles = ['x', 'member@x', 'member', 'member']", vec!["no role", "no group", "stands twice"]),
        ("people = { ada.email = 'a@b.example', bob.email = 'A@b.example' }", vec!["`email` and `code` of another"]),
        ("people = { ada.externalId = '1', bob.externalId = '1' }", vec!["`externalId` of another"]),
        ("people.ada.attributes = { 'a b' = 'x', c = 1 }", vec!["`a b` is none", "a number"]),
        ("people.ada.title = \"a\\u0007\"", vec!["control character"]),
        ("now = '2026-01-05'", vec!["no instant"]),
        ("now = 2026-01-05", vec!["no instant"]),
        ("settings = 1", vec!["`settings` is a number"]),
    ] {
        let mistakes = check(text).expect_err(text);
        assert!(mistakes.iter().all(|mistake| mistake.place == "line 1"), "{text}: {mistakes:#?}");
        let found: Vec<&str> = mistakes.iter().map(|mistake| mistake.problem.as_str()).collect();
        assert_eq!(found.len(), expected.len(), "{text}: {mistakes:#?}");
        for (found, part) in found.iter().zip(expected) {
            assert!(found.contains(part), "{text}: `{found}` does not say `{part}`");
        }
    }
}

#[test]
fn a_world_is_as_large_as_it_may_be_and_no_larger() {
    let people = |count: usize| format!("[people]\n{}", (0..count).map(|at| format!("p{at} = {{}}\n")).collect::<String>());
    let one = "[lists]\np0.user = 'p0'\n";
    assert_eq!(check(&format!("{}{one}", people(1_000))), Ok(1));
    refuses(&format!("{}{one}", people(1_001)), &[(1, "1001 people, and may have 1000")]);
    let numbered = |letter: &str, count: usize| (0..count).map(|at| format!("'{letter}{at}', ")).collect::<String>();
    let named = |letter: &str, count: usize| (0..count).map(|at| format!("{letter}{at} = []\n")).collect::<String>();
    let groups = |count| format!("groups = [{}]\n[people]\np0 = {{}}\n{one}", numbered("g", count));
    let roles = |count| format!("[roles]\n{}[people]\np0 = {{}}\n{one}", named("r", count));
    let members = |people: usize, more: &str| {
        let (groups, each) = (numbered("g", 100), numbered("g", 100));
        let people: String = (0..people).map(|at| format!("p{at}.groups = [{each}]\n")).collect();
        format!("groups = [{groups}]\n[people]\n{people}more.groups = [{more}]\n{one}")
    };
    let holders = |people: usize, more: &str| {
        let each: String = (0..50).map(|at| format!("'member@g{at}', ")).collect();
        let people: String = (0..people).map(|at| format!("p{at}.roles = [{each}]\n")).collect();
        format!("groups = [{}]\n[people]\n{people}more.roles = [{more}]\n{one}", numbered("g", 50))
    };
    for (most, beyond, says) in [
        (groups(1_000), groups(1_001), "1001 groups, and may have 1000"),
        (roles(98), roles(99), "101 roles, and may have 100"),
        (members(100, ""), members(100, "'g0'"), "10001 memberships, and may have 10000"),
        (holders(200, ""), holders(200, "'member'"), "10001 grants, and may have 10000"),
    ] {
        assert_eq!(check(&most), Ok(1));
        refuses(&beyond, &[(1, says)]);
    }
    let matrix = |subjects: usize, actions: &str| {
        let subjects: String = (0..subjects).map(|at| format!("'p{at}', ")).collect();
        format!("[[expect]]\nsubjects = [{subjects}]\nactions = {actions}\nresources = 'user:*'\n")
    };
    assert_eq!(check(&format!("{}{}", people(100), matrix(100, "'user.read'"))), Ok(10_000));
    let too_many = format!("{}{}{one}", people(100), matrix(100, "'user.read'"));
    assert!(check(&too_many).unwrap_err()[0].problem.contains("more than 10000 expectations"));
    let product = format!("{}{}", people(1_000), matrix(1_000, "'*'"));
    assert!(check(&product).unwrap_err()[0].problem.contains("cells, and a file may have 10000"), "it is counted, and not made");
    let path = |levels: usize| format!("groups = ['{}']\n", (0..levels).map(|at| format!("g{at}")).collect::<Vec<_>>().join("/"));
    assert_eq!(check(&format!("{}people.p0 = {{}}\nlists.p0.user = 'p0'", path(GROUP_DEPTH))), Ok(1));
    let mistakes = check(&format!("{}people.p0 = {{}}\nlists.p0.user = 'p0'", path(GROUP_DEPTH + 1))).unwrap_err();
    assert!(mistakes[0].problem.contains("more than 64 levels"), "{mistakes:#?}");
}
