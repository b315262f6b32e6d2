//! Tokens, policies and backups, through the port.

use std::sync::Arc;

use directory::{
    Error,
    access::{Operator, OperatorVia},
    contract::Digest,
    ids::{PolicyId, PolicyVersionId, TokenId, UserId, WorkspaceId},
    limits,
    model::{Author, PolicyModule, PolicyStatus, Step, Timestamp, Token, TokenKind, Version},
    store::{ActivatePolicy, CreateToken, Deciding, Head, NewPolicyStep, NewPolicyVersion, RevokeToken, Store as _, UploadPolicy},
};
use storage::{Database, Options};
use uuid::Uuid;

use super::{
    backends, standard,
    world::{Plan, World},
};

const OPERATOR: Operator = Operator::new(OperatorVia::CommandLine);

#[tokio::test]
async fn tokens_policies_and_backups() {
    for backend in backends().await {
        let world = Plan::generate(1).import(&backend.store).await;
        use_everything(&backend.store, &world).await;
    }
}

/// Every statement about tokens and policies, at least once.
pub(super) async fn use_everything(store: &Database, world: &World) {
    use_tokens(store, world).await;
    use_policies(store, world).await;
    super::history::use_everything(store, world).await;
}

/// A small write.
pub(super) async fn create_one(store: &Database, workspace: WorkspaceId) {
    let token = Token {
        id: TokenId(Uuid::from_u128(7)),
        kind: TokenKind::Service,
        name: "one".to_owned(),
        user: None,
        scopes: vec!["user.read".to_owned()],
        expires_at: None,
        created_at: Timestamp(1),
        created_by: None,
    };
    store.create_token(OPERATOR.create_token(Some(workspace), CreateToken { token, hash: [7; 32] })).await.unwrap();
}

async fn use_tokens(store: &Database, world: &World) {
    let workspace = world.id;
    let user = world.users[0].id;
    let base = workspace.unwrap().0.as_u128() << 8;
    let token = |number: u128, kind, user| Token {
        id: TokenId(Uuid::from_u128(base + number)),
        kind,
        name: format!("token {number}"),
        user,
        scopes: vec!["user.read".to_owned()],
        expires_at: (number == 1).then_some(Timestamp(99)),
        created_at: Timestamp(number as i64),
        created_by: None,
    };
    let hash = |number: u8| {
        let mut hash = [number; 32];
        hash[..16].copy_from_slice(workspace.unwrap().0.as_bytes());
        hash
    };
    let create = async |number: u8, workspace, kind, user| {
        let change = CreateToken { token: token(number.into(), kind, user), hash: hash(number) };
        store.create_token(OPERATOR.create_token(workspace, change)).await
    };
    create(1, workspace, TokenKind::Personal, Some(user)).await.unwrap();
    create(2, workspace, TokenKind::Service, None).await.unwrap();
    create(3, None, TokenKind::Operator, None).await.unwrap();
    let stranger = create(4, workspace, TokenKind::Personal, Some(UserId(Uuid::from_u128(1)))).await;
    assert!(matches!(stranger, Err(Error::NotFound(_))), "{stranger:?}");

    assert!(store.credential([255; 32]).await.unwrap().is_none());
    let credential = store.credential(hash(1)).await.unwrap().unwrap();
    assert_eq!((credential.workspace, credential.user), (workspace, Some((user, world.users[0].status))));
    assert_eq!((credential.expires_at, credential.revoked, credential.scopes.len()), (Some(Timestamp(99)), false, 1));
    let operator = store.credential(hash(3)).await.unwrap().unwrap();
    assert_eq!((operator.kind, operator.workspace, operator.user), (TokenKind::Operator, None, None));

    assert_eq!(store.tokens(workspace).await.unwrap().len(), 2);
    let revoke = RevokeToken { token: TokenId(Uuid::from_u128(base + 1)), now: Timestamp(5) };
    let elsewhere = store.revoke_token(OPERATOR.revoke_token(None, revoke)).await;
    assert!(matches!(elsewhere, Err(Error::NotFound(_))), "another workspace's token is unknown: {elsewhere:?}");
    store.revoke_token(OPERATOR.revoke_token(workspace, revoke)).await.unwrap();
    assert!(store.credential(hash(1)).await.unwrap().unwrap().revoked);
    assert_eq!(store.tokens(workspace).await.unwrap().len(), 1);
}

pub(super) fn module(base: u128, number: u128, status: PolicyStatus) -> UploadPolicy {
    let mut digest = [0; 32];
    digest[..16].copy_from_slice(&number.to_be_bytes());
    let module = PolicyModule {
        id: PolicyId(Uuid::from_u128(base + number)),
        digest: Digest(digest),
        name: "module".to_owned(),
        version: "1".to_owned(),
        status,
        reasons: Vec::new(),
        size: 3,
        uploaded_by: None,
        uploaded_at: Timestamp(number as i64),
        note: None,
    };
    UploadPolicy { module, bytes: Arc::from([1, 2, 3].as_slice()), steps: Vec::new() }
}

async fn use_policies(store: &Database, world: &World) {
    let workspace = world.id.unwrap();
    let base = workspace.0.as_u128() << 16;
    let upload = async |change: UploadPolicy| store.upload_policy(OPERATOR.upload_policy(workspace, change)).await;
    let first = upload(module(base, 1, PolicyStatus::Validated)).await.unwrap();
    let same = UploadPolicy {
        module: PolicyModule { id: PolicyId(Uuid::from_u128(1)), ..module(base, 1, PolicyStatus::Validated).module },
        bytes: Arc::from([]),
        steps: Vec::new(),
    };
    assert_eq!(upload(same).await.unwrap(), first, "the same bytes are the same module");
    let rejected = upload(module(base, 2, PolicyStatus::Rejected)).await.unwrap();
    let mut digest = module(base, 1, PolicyStatus::Validated).module.digest;
    assert_eq!(store.module_bytes(workspace, digest).await.unwrap().as_deref(), Some([1, 2, 3].as_slice()));
    digest.0[15] = 2;
    assert_eq!(store.module_bytes(workspace, digest).await.unwrap(), None, "a rejected module's bytes are not kept");

    let head = async || store.snapshot(workspace).await.unwrap().unwrap().head().await.unwrap();
    let before = head().await;
    let (epoch, active) = (before.epoch, before.version);
    let activate_tested = async |expected, id: u128, module, tests| {
        let version = NewPolicyVersion { module, ..standard(base + id) };
        let step = NewPolicyStep::new(Step::ActivationForced, Timestamp(1), Author::Operator, "command-line");
        let step = NewPolicyStep { version: Some(version.id), module, ..step };
        store.activate_policy(OPERATOR.activate_policy(workspace, ActivatePolicy { expected, version, step, tests })).await
    };
    let activate = async |expected, id, module| activate_tested(expected, id, module, None).await;
    let stale = activate(PolicyVersionId(Uuid::from_u128(1)), 7, Some(first)).await;
    assert!(matches!(stale, Err(Error::Stale(_))), "{stale:?}");
    let refused = activate(active, 7, Some(rejected)).await;
    assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    let unknown = activate(active, 7, Some(PolicyId(Uuid::from_u128(1)))).await;
    assert!(matches!(unknown, Err(Error::NotFound(_))), "{unknown:?}");
    let others = activate_tested(active, 7, Some(first), Some(Version(1))).await;
    assert!(matches!(others, Err(Error::Stale(_))), "it has passed other tests than there are: {others:?}");
    assert_eq!(head().await, before, "a refused activation changes nothing");
    activate(active, 7, Some(first)).await.unwrap();
    let Head { epoch: bumped, version: now_active, .. } = head().await;
    assert_eq!((bumped.0, now_active.0.as_u128()), (epoch.0 + 1, base + 7));
    let deciding = store.deciding(None, 100).await.unwrap().into_iter().find(|deciding| deciding.workspace == workspace);
    let of_first = module(base, 1, PolicyStatus::Validated).module.digest;
    let expected = Deciding { workspace, version: now_active, number: 2, module: Some(of_first), standard: standard(0).standard };
    assert_eq!(deciding, Some(expected));

    // Rejected ones do not count.
    for number in 3..=limits::MODULES as u128 + 1 {
        upload(module(base, number, PolicyStatus::Validated)).await.unwrap();
    }
    let bytes_of = async |number: u128| {
        let digest = module(base, number, PolicyStatus::Validated).module.digest;
        store.module_bytes(workspace, digest).await.unwrap()
    };
    assert!(bytes_of(3).await.is_some());
    upload(module(base, 1_000, PolicyStatus::Validated)).await.unwrap();
    assert_eq!(bytes_of(3).await, None, "the oldest that was never active makes room");
    assert!(bytes_of(1).await.is_some() && bytes_of(4).await.is_some() && bytes_of(1_000).await.is_some());
    upload(module(base, 1_001, PolicyStatus::Rejected)).await.unwrap();
    let mut snapshot = store.snapshot(workspace).await.unwrap().unwrap();
    assert_eq!(snapshot.policy_modules(10).await.unwrap().len(), 10);
    assert_eq!(snapshot.policy_versions(10).await.unwrap().len(), 2);
    assert!(snapshot.policy_module(first).await.unwrap().is_some());
    drop(snapshot);

    // When all of them were active once, the one that was active longest ago makes room, and none that is behind one of the latest versions.
    let of = |number: u128| PolicyId(module(base, number, PolicyStatus::Validated).module.id.0);
    let decided: Vec<u128> = (4..=limits::MODULES as u128 + 1).chain([1_000]).collect();
    for (at, number) in decided.iter().enumerate() {
        activate(head().await.version, 2_000 + at as u128, Some(of(*number))).await.unwrap();
    }
    for (at, number) in (1_002..).take(limits::MODULES - limits::RECENT_VERSIONS).enumerate() {
        upload(module(base, number, PolicyStatus::Validated)).await.unwrap();
        activate(head().await.version, 3_000 + at as u128, Some(of(number))).await.unwrap();
    }
    assert!(bytes_of(1).await.is_none() && bytes_of(4).await.is_none(), "those of long ago have made room");
    let gone = activate(head().await.version, 4_000, Some(of(4))).await;
    assert!(matches!(gone, Err(Error::Refused(_))), "what has made room does not decide: {gone:?}");
    let recent = &decided[decided.len() - 3..];
    for number in recent {
        upload(module(base, *number, PolicyStatus::Validated)).await.unwrap();
        assert!(bytes_of(*number).await.is_some(), "what comes again is there again");
    }
    assert_eq!(upload(module(base, 4, PolicyStatus::Validated)).await.unwrap(), of(4), "as the same module");
    assert!(bytes_of(4).await.is_some());

    // Large ones make room before they are many, and so does what comes again.
    let bytes: Arc<[u8]> = vec![0; limits::MODULE_BYTES].into();
    let large = async |number: u128| {
        upload(UploadPolicy { bytes: bytes.clone(), ..module(base, number, PolicyStatus::Validated) }).await.unwrap();
        activate(head().await.version, number, Some(of(number))).await.unwrap();
    };
    for number in 5_001..=5_015 {
        large(number).await;
    }
    assert!(bytes_of(5_001).await.is_some() && bytes_of(1_091).await.is_some());
    large(5_016).await;
    assert_eq!(bytes_of(1_091).await, None, "as many make room as it takes");
    assert!(bytes_of(5_001).await.is_some() && bytes_of(5_016).await.is_some(), "sixteen of the largest have room");
    upload(module(base, 4, PolicyStatus::Validated)).await.unwrap();
    assert!(bytes_of(5_001).await.is_none() && bytes_of(4).await.is_some() && bytes_of(5_002).await.is_some());
    upload(UploadPolicy { bytes: bytes.clone(), ..module(base, 5_001, PolicyStatus::Validated) }).await.unwrap();
    assert!(bytes_of(4).await.is_none() && bytes_of(5_001).await.is_some() && bytes_of(5_002).await.is_some());
}

#[tokio::test]
async fn what_decides_is_listed_page_by_page() {
    for backend in backends().await {
        let mut workspaces = Vec::new();
        for seed in 1..=5 {
            workspaces.push(Plan::generate(seed).import(&backend.store).await.id.unwrap());
        }
        workspaces.sort_unstable_by_key(|workspace| workspace.0);
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = backend.store.deciding(after, 2).await.unwrap();
            assert!(page.len() <= 2 && page.iter().all(|deciding| (deciding.module, deciding.number) == (None, 1)), "{page:?}");
            found.extend(page.iter().map(|deciding| deciding.workspace));
            let Some(last) = page.last() else { break };
            after = Some(last.workspace);
        }
        assert_eq!(found, workspaces, "{}", backend.name);
    }
}

#[tokio::test]
async fn a_snapshot_does_not_see_what_comes_after_it() {
    for backend in backends().await {
        let plan = Plan::generate(2);
        let workspace = plan.run(&backend.store, 0, 1_000_000).await.workspace.unwrap();
        let mut snapshot = backend.store.snapshot(workspace).await.unwrap().unwrap();
        let before = snapshot.head().await.unwrap();
        plan.run(&backend.store, 1, 2_000_000).await;
        assert_eq!(snapshot.head().await.unwrap(), before, "{}", backend.name);
        let mut after = backend.store.snapshot(workspace).await.unwrap().unwrap();
        assert_eq!(after.head().await.unwrap().epoch.0, before.epoch.0 + 1, "{}", backend.name);
        assert!(backend.store.snapshot(directory::ids::WorkspaceId(Uuid::from_u128(1))).await.unwrap().is_none());
        backend.store.ping().await.unwrap();
    }
}

#[tokio::test]
async fn a_backup_is_a_whole_database() {
    let folder = tempfile::tempdir().unwrap();
    for backend in backends().await {
        Plan::generate(1).import(&backend.store).await;
        let target = folder.path().join("copy's.db");
        match backend.name {
            "SQLite" => {
                backend.store.backup(&target).await.unwrap();
                assert!(matches!(backend.store.backup(&target).await, Err(Error::Refused(_))), "an existing file is left alone");
                let copy = Database::open(&format!("sqlite:{}", target.display()), Options::default()).await.unwrap();
                assert_eq!(copy.pending_migrations().await.unwrap(), Vec::<String>::new());
                assert_eq!(copy.workspaces().await.unwrap().len(), 1);
            }
            _ => assert!(matches!(backend.store.backup(&target).await, Err(Error::Refused(_)))),
        }
    }
}
