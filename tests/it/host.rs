//! The server as the tests start it: whole, on each database, and shaping its answers as asked.

use serde_json::json;
use tests::{TestHost, model::World, naive::policy::Asker, on_each_database};

fn small_world() -> World {
    tests::generate::world(&mut tests::dice::Dice::seeded(7), "small".to_owned(), 2)
}

#[test]
fn it_serves_each_database() {
    on_each_database(async |host: &TestHost| {
        let mut world = small_world();
        host.import_world(&mut world, "").await;
        let token = host.token(&world, &Asker::person(0)).await;
        let answer = host.graphql(&token, "{ viewer { id } users { totalCount } }", json!({})).await;
        assert_eq!(answer["data"], json!({ "viewer": { "id": world.people[0].id }, "users": { "totalCount": world.people.len() } }));
    });
}
