//! Siblings share their work: what one node of a level needs, it loads for all of them in one go.
//!
//! GraphQL resolves fields one object at a time. Here every node knows the other rows that the same list returned, and the first to
//! resolve a field loads it for the whole level while the others wait. So the number of SQL statements and policy calls follows from
//! the document alone: no timers, no look-ahead, and no decision outside a list.

use std::{
    any::Any,
    collections::HashMap,
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
};

use directory::{
    Error, Visible,
    access::{Count, Directory, GrantAsk, GroupAsk, MembershipAsk, Page, RoleAsk, UserAsk},
    model::{Grant, Group, Membership, Role, User},
    query::{Direction, End, Keyset},
};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Rows that one list, or the lists of one level, returned; each once.
pub(super) struct Level<T> {
    /// Whose rows they are: everything further is read through the same directory.
    pub(super) directory: Arc<Directory>,
    /// Visible rows, distinct.
    pub(super) rows: Vec<Visible<T>>,
    loaded: Mutex<HashMap<String, Arc<dyn Any + Send + Sync>>>,
}

/// One row of a level.
pub(super) struct Member<T> {
    pub(super) level: Arc<Level<T>>,
    pub(super) at: usize,
}

impl<T> Clone for Member<T> {
    fn clone(&self) -> Self {
        Self { level: self.level.clone(), at: self.at }
    }
}

type Shared<V> = OnceCell<Result<Arc<V>, Error>>;

impl<T: Row> Level<T> {
    /// A level of distinct rows, and for each of `rows` its position there.
    pub(super) fn new(directory: &Arc<Directory>, rows: impl IntoIterator<Item = Visible<T>>) -> (Arc<Self>, Vec<usize>) {
        let mut at: HashMap<Uuid, usize> = HashMap::new();
        let mut distinct = Vec::new();
        let mut places = Vec::new();
        for row in rows {
            let next = distinct.len();
            let place = *at.entry(row.key()).or_insert(next);
            if place == next {
                distinct.push(row);
            }
            places.push(place);
        }
        (Arc::new(Self { directory: directory.clone(), rows: distinct, loaded: Mutex::default() }), places)
    }

    /// Every row of optional rows as a member of one level; `None` stays `None`.
    pub(super) fn members(directory: &Arc<Directory>, rows: Vec<Option<Visible<T>>>) -> Vec<Option<Member<T>>> {
        let present: Vec<bool> = rows.iter().map(Option::is_some).collect();
        let (level, places) = Self::new(directory, rows.into_iter().flatten());
        let mut places = places.into_iter();
        let member = |present: bool| if present { places.next().map(|at| Member { level: level.clone(), at }) } else { None };
        present.into_iter().map(member).collect()
    }

    /// What `load` returns, loaded once for the whole level and each `key`.
    ///
    /// The key names the field and its arguments. The value must be of one type a key.
    pub(super) async fn shared<V, F>(&self, key: String, load: impl FnOnce() -> F + Send) -> Result<Arc<V>, Error>
    where
        V: Send + Sync + 'static,
        F: Future<Output = Result<V, Error>> + Send,
    {
        let cell: Arc<dyn Any + Send + Sync> = {
            let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.entry(key).or_insert_with(|| Arc::new(Shared::<V>::new())).clone()
        };
        let cell = cell.downcast::<Shared<V>>().map_err(|_| Error::Store("a level holds another type under this key".to_owned()))?;
        cell.get_or_init(|| async { Box::pin(load()).await.map(Arc::new) }).await.clone()
    }
}

impl<T: Row> Member<T> {
    /// The row. A member's position is that of a row of its level.
    pub(super) fn row(&self) -> &T {
        #[expect(clippy::indexing_slicing, reason = "made by `Level` alone, from positions of its own rows")]
        &self.level.rows[self.at]
    }

    /// The directory that it was read through.
    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.level.directory
    }
}

/// A row with an id, of which levels are made.
pub(super) trait Row: Clone + Send + Sync + 'static {
    /// The id without its type.
    fn key(&self) -> Uuid;
}

/// A row that can be listed.
pub(super) trait Listed: Row {
    /// What is asked of its lists.
    type Ask: Clone + Debug + Send + Sync;
    /// Names kind, order and direction, for cursors.
    fn order(ask: &Self::Ask) -> (String, Direction);
    /// The window of an ask.
    fn window(ask: &mut Self::Ask) -> &mut directory::query::Window;
    /// Lists.
    fn list(directory: &Directory, ask: Self::Ask) -> impl Future<Output = Result<Vec<Page<Self>>, Error>> + Send;
    /// Counts.
    fn count(directory: &Directory, ask: Self::Ask) -> impl Future<Output = Result<Vec<Count>, Error>> + Send;
}

macro_rules! listed {
    ($row:ty, $ask:ty, $list:ident, $count:ident) => {
        impl Row for $row {
            fn key(&self) -> Uuid {
                self.id.0
            }
        }

        impl Listed for $row {
            type Ask = $ask;

            fn order(ask: &$ask) -> (String, Direction) {
                (format!("{}:{:?}", stringify!($list), ask.order), ask.order.direction)
            }

            fn window(ask: &mut $ask) -> &mut directory::query::Window {
                &mut ask.window
            }

            async fn list(directory: &Directory, ask: $ask) -> Result<Vec<Page<Self>>, Error> {
                directory.$list(ask).await
            }

            async fn count(directory: &Directory, ask: $ask) -> Result<Vec<Count>, Error> {
                directory.$count(ask).await
            }
        }
    };
}

listed!(User, UserAsk, list_users, count_users);
listed!(Group, GroupAsk, list_groups, count_groups);
listed!(Role, RoleAsk, list_roles, count_roles);
listed!(Membership, MembershipAsk, list_memberships, count_memberships);
listed!(Grant, GrantAsk, list_grants, count_grants);

/// The pages of one field over a whole level: one page a parent, all rows in one level of their own.
pub(super) struct Fan<T: Listed> {
    pub(super) level: Arc<Level<T>>,
    pub(super) pages: Vec<FanPage>,
    ask: T::Ask,
    count: Shared<Vec<Count>>,
    beyond: Shared<Vec<bool>>,
}

/// One parent's page.
pub(super) struct FanPage {
    /// Positions in the order, and in the level.
    pub(super) rows: Vec<(Keyset, usize)>,
    more: bool,
    /// Where the scan cap stopped the list.
    pub(super) scan_capped: Option<Keyset>,
}

impl<T: Listed> Fan<T> {
    /// Lists for every parent of the ask.
    pub(super) async fn load(directory: &Arc<Directory>, ask: T::Ask) -> Result<Self, Error> {
        let pages = T::list(directory, ask.clone()).await?;
        let mut rows = Vec::new();
        let mut metas = Vec::with_capacity(pages.len());
        for page in pages {
            let (keysets, page_rows): (Vec<_>, Vec<_>) = page.rows.into_iter().unzip();
            metas.push((keysets, page.more, page.scan_capped));
            rows.extend(page_rows);
        }
        let (level, places) = Level::new(directory, rows);
        let mut places = places.into_iter();
        let page = |(keysets, more, scan_capped): (Vec<Keyset>, bool, Option<Keyset>)| {
            let rows = keysets.into_iter().zip(places.by_ref()).collect();
            FanPage { rows, more, scan_capped }
        };
        let pages = metas.into_iter().map(page).collect();
        Ok(Self { level, pages, ask, count: OnceCell::new(), beyond: OnceCell::new() })
    }

    /// The name of the list's order, for cursors.
    pub(super) fn order(&self) -> String {
        T::order(&self.ask).0
    }

    /// From which end the pages are filled.
    pub(super) fn end(&self) -> End {
        T::window(&mut self.ask.clone()).end
    }

    /// The count of one parent's list, counted once for all parents.
    pub(super) async fn count(&self, parent: usize) -> Result<Count, Error> {
        let count = || async { T::count(&self.level.directory, self.ask.clone()).await.map(Arc::new) };
        let counts = self.count.get_or_init(count).await.clone()?;
        counts.get(parent).cloned().ok_or_else(|| Error::Store("a count is missing".to_owned()))
    }

    /// Whether rows follow this page, and whether rows precede it.
    pub(super) async fn neighbours(&self, parent: usize, which: Side) -> Result<bool, Error> {
        let mut ask = self.ask.clone();
        let window = T::window(&mut ask).clone();
        let paged = match window.end {
            End::Front => Side::After,
            End::Back => Side::Before,
        };
        let page = self.pages.get(parent).ok_or_else(|| Error::Store("a page is missing".to_owned()))?;
        if which == paged {
            return Ok(page.more);
        }
        let from = match window.end {
            End::Front => window.after,
            End::Back => window.before,
        };
        let Some(from) = from else { return Ok(false) };
        let beyond = self.beyond.get_or_init(|| async { self.probe(ask, from, which).await.map(Arc::new) }).await.clone()?;
        Ok(beyond.get(parent).copied().unwrap_or_default())
    }

    /// Whether each parent has a row at or beyond the position that the page started from.
    async fn probe(&self, mut ask: T::Ask, from: Keyset, which: Side) -> Result<Vec<bool>, Error> {
        let (_, direction) = T::order(&ask);
        // The window excludes its own ends, so the end is moved past the row itself.
        let upwards = (which == Side::Before) == (direction == Direction::Ascending);
        let id = from.id.as_u128();
        let id = if upwards { id.saturating_add(1) } else { id.saturating_sub(1) };
        let edge = Some(Keyset { key: from.key, id: Uuid::from_u128(id) });
        let (after, before, end) = match which {
            Side::Before => (None, edge, End::Back),
            Side::After => (edge, None, End::Front),
        };
        *T::window(&mut ask) = directory::query::Window { after, before, rows: 1, end };
        let pages = T::list(&self.level.directory, ask).await?;
        Ok(pages.iter().map(|page| !page.rows.is_empty() || page.more).collect())
    }
}

/// The two neighbours of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Towards the front.
    Before,
    /// Towards the back.
    After,
}
