//! One server among many that share a database: who has which workspaces, and how they change hands.
//!
//! Each server says a few times a second that it is there, and sees who else is. Partitions go to servers by
//! rendezvous hashing (Thaler and Ravishankar 1998): each server sees by itself which should be its own, and
//! a server that comes or goes moves only its share. What a server should not have any more it lays down;
//! what nobody has it takes up. That all see the same is likely, and not needed: the leases decide.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::sync::watch;

use super::{inbox::Inbox, types::Error};
use crate::{
    domain::{id::WorkspaceId, planted::planted},
    store::{self, Membership, Partition, Replica, ReplicaId, StoreOptions, View},
};

/// How often a server says that it is there.
const BEAT: Duration = Duration::from_millis(200);
/// How long a call waits for its workspace to be taken up: longer than it takes to give up a server that
/// fell silent.
const OWNER_WITHIN: Duration = Duration::from_secs(4);
/// How long leaving may take before the server stops anyway.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);
/// Beats for which a server that leaves goes on handing on calls after others have all its workspaces: until
/// each of them has seen who.
const BEATS_AFTER: u32 = 2;

/// Who has a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    /// This server.
    Here,
    /// The server that answers its peers at this address.
    Peer(String),
}

/// Who has what, as this server sees it.
#[derive(Clone)]
pub(super) struct Cluster {
    /// The partitions whose workspaces are here.
    leads: watch::Receiver<BTreeSet<Partition>>,
    /// The addresses of the servers that have the others; nothing changes where nobody shares the store.
    peers: watch::Receiver<Arc<Peers>>,
    leaving: Arc<watch::Sender<bool>>,
    left: watch::Receiver<bool>,
}

/// The other servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Peers {
    /// Where the holder of each partition answers.
    pub(super) holders: BTreeMap<Partition, String>,
    /// Where each answers that has a model and is not about to stop.
    pub(super) readers: BTreeSet<String>,
}

impl Cluster {
    /// Returns the cluster of a server that shares its store with nobody.
    pub(super) fn alone(leads: watch::Receiver<BTreeSet<Partition>>) -> Self {
        let (_, peers) = watch::channel(Arc::default());
        let (_, left) = watch::channel(true);
        Self { leads, peers, leaving: Arc::new(watch::Sender::new(false)), left }
    }

    /// Joins the servers that share a store.
    pub(super) async fn join(
        options: StoreOptions,
        (address, reads): (String, bool),
        inbox: Inbox,
        leads: watch::Receiver<BTreeSet<Partition>>,
    ) -> Result<Self, Error> {
        let id = ReplicaId(uuid::Uuid::new_v4().to_string());
        let me = Replica { id: id.clone(), address, reads, draining: false };
        let membership = tokio::task::spawn_blocking(move || Membership::join(&options, me)).await;
        let membership = membership.map_err(|_| lost())?.map_err(Error::Store)?;
        let (peers_sender, peers) = watch::channel(Arc::default());
        let (left_sender, left) = watch::channel(false);
        let leaving = Arc::new(watch::Sender::new(false));
        let member = Member {
            id,
            membership: Some(membership),
            inbox,
            leads: leads.clone(),
            peers: peers_sender,
            leaving: leaving.subscribe(),
            left: left_sender,
        };
        tokio::spawn(member.run());
        Ok(Self { leads, peers, leaving, left })
    }

    /// Returns whether this server has a workspace, if there is one of that name.
    pub(super) fn leads(&self, workspace: &WorkspaceId) -> bool {
        self.leads.borrow().contains(&Partition::of(workspace))
    }

    /// Returns who has a workspace; waits a while where nobody has.
    pub(super) async fn owner(&self, workspace: &WorkspaceId) -> Result<Owner, Error> {
        let partition = Partition::of(workspace);
        let (mut leads, mut peers) = (self.leads.clone(), self.peers.clone());
        let found = async {
            loop {
                if leads.borrow_and_update().contains(&partition) {
                    return Ok(Owner::Here);
                }
                if let Some(address) = peers.borrow_and_update().holders.get(&partition) {
                    return Ok(Owner::Peer(address.clone()));
                }
                tokio::select! {
                    changed = leads.changed() => changed.map_err(|_| Error::Stopping)?,
                    changed = peers.changed() => changed.map_err(|_| Error::Stopping)?,
                }
            }
        };
        tokio::time::timeout(OWNER_WITHIN, found).await.unwrap_or(Err(Error::Moved))
    }

    /// Returns the other servers, as they come and go.
    pub(super) fn peers(&self) -> watch::Receiver<Arc<Peers>> {
        self.peers.clone()
    }

    /// Lays down all workspaces and says that this server is gone.
    pub(super) async fn leave(&self) {
        self.leaving.send_replace(true);
        let mut left = self.left.clone();
        let gone = left.wait_for(|left| *left);
        if tokio::time::timeout(LEAVE_WITHIN, gone).await.is_err() {
            tracing::warn!("stopping without having given back all leases");
        }
    }
}

fn lost() -> Error {
    Error::Store(store::Error::ReaderLost)
}

/// The task that keeps a server's place.
struct Member {
    id: ReplicaId,
    /// `None` while it is used elsewhere.
    membership: Option<Membership>,
    inbox: Inbox,
    leads: watch::Receiver<BTreeSet<Partition>>,
    peers: watch::Sender<Arc<Peers>>,
    leaving: watch::Receiver<bool>,
    left: watch::Sender<bool>,
}

impl Member {
    async fn run(mut self) {
        let mut beats = tokio::time::interval(BEAT);
        let mut beats_after = 0;
        loop {
            tokio::select! {
                _ = beats.tick() => {}
                _ = self.leaving.changed() => {}
                // A lease was lost: see who has it now.
                changed = self.leads.changed() => if changed.is_err() { return },
            }
            let leaving = *self.leaving.borrow();
            match self.beat(leaving).await {
                Ok(Place::Taken) if leaving && beats_after < BEATS_AFTER => beats_after += 1,
                Ok(Place::Taken | Place::Last) if leaving => break,
                Ok(_) => {}
                Err(Error::Stopping) => return,
                Err(error) => tracing::warn!(%error, cause = cause(&error), "the servers' list"),
            }
        }
        // Others see that this server is draining; those that do not in time give it up.
        let _ = self.on_database(|membership| membership.leave()).await;
        self.left.send_replace(true);
    }

    /// Says that this server is there, and does what follows.
    async fn beat(&mut self, leaving: bool) -> Result<Place, Error> {
        let view = self.on_database(move |membership| membership.beat(leaving)).await?;
        let leads = self.leads.borrow_and_update().clone();
        self.show(&view);
        let steps = steps(&view, &self.id, &leads, leaving);
        for partition in steps.lay_down {
            self.inbox.lay_down(partition).await?;
        }
        for (partition, from) in steps.take_up {
            let take = move |membership: &mut Membership| membership.take(partition, from.as_ref());
            if let Some(lease) = self.on_database(take).await? {
                self.inbox.take_up(self.id.clone(), lease).await?;
            }
        }
        Ok(if self.leads.borrow().is_empty() { place(&view, &self.id) } else { Place::Leads })
    }

    fn show(&self, view: &View) {
        let others = || view.replicas.iter().filter(|replica| replica.id != self.id);
        let addresses: BTreeMap<&ReplicaId, &str> =
            others().map(|replica| (&replica.id, replica.address.as_str())).collect();
        let holders = view.holders.iter().filter_map(|(partition, holder)| {
            Some((*partition, (*addresses.get(holder)?).to_owned()))
        });
        let ready = others().filter(|replica| replica.reads && !replica.draining);
        let peers = Peers {
            holders: holders.collect(),
            readers: ready.map(|replica| replica.address.clone()).collect(),
        };
        self.peers.send_if_modified(|shown| {
            let changed = **shown != peers;
            if changed {
                *shown = Arc::new(peers);
            }
            changed
        });
    }

    /// Asks the database on a thread that may block.
    async fn on_database<T: Send + 'static>(
        &mut self,
        question: impl FnOnce(&mut Membership) -> Result<T, store::Error> + Send + 'static,
    ) -> Result<T, Error> {
        let Some(mut membership) = self.membership.take() else { return Err(Error::Stopping) };
        let asked = tokio::task::spawn_blocking(move || {
            let answer = question(&mut membership);
            (membership, answer)
        });
        let (membership, answer) = asked.await.map_err(|_| lost())?;
        self.membership = Some(membership);
        answer.map_err(Error::Store)
    }
}

fn cause(error: &Error) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

/// What a server is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It has workspaces.
    Leads,
    /// It has none, and others have not all of them yet.
    Empty,
    /// It has none, and others have them all.
    Taken,
    /// It has none, and there is nobody to take them.
    Last,
}

/// Returns what a server that leads nothing is to the others.
pub(super) fn place(view: &View, me: &ReplicaId) -> Place {
    if view.replicas.iter().all(|replica| replica.draining) {
        return Place::Last;
    }
    let is_there = |id: &ReplicaId| id != me && view.replicas.iter().any(|r| r.id == *id);
    let is_taken = |partition| view.holders.get(&partition).is_some_and(is_there);
    if Partition::all().all(is_taken) { Place::Taken } else { Place::Empty }
}

/// What a server does about what it sees.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Steps {
    pub(super) lay_down: Vec<Partition>,
    /// Each with who has the lease: a server that is gone, nobody, or this server, which lost hold of it.
    pub(super) take_up: Vec<(Partition, Option<ReplicaId>)>,
}

pub(super) fn steps(
    view: &View,
    me: &ReplicaId,
    leads: &BTreeSet<Partition>,
    leaving: bool,
) -> Steps {
    let mut steps = Steps::default();
    for partition in Partition::all() {
        let target = target(view, partition);
        let is_mine = !leaving && (target == Some(me) || planted!(TakenFromTheLiving));
        let holder = view.holders.get(&partition);
        let is_there = holder.is_some_and(|holder| view.replicas.iter().any(|r| r.id == *holder))
            && !planted!(TakenFromTheLiving);
        let holds = holder == Some(me);
        if leads.contains(&partition) {
            // Another server took over while this one was silent, and what is here is old; or it is to move.
            if !holds || (!is_mine && (leaving || target.is_some())) {
                steps.lay_down.push(partition);
            }
        } else if holds && !is_mine && !planted!(LeaseNeverGivenBack) {
            // Giving it back failed, or taking it up.
            steps.lay_down.push(partition);
        } else if is_mine && (holds || !is_there) && !(planted!(GoneKeepItAll) && holder.is_some())
        {
            steps.take_up.push((partition, holder.cloned()));
        }
    }
    steps
}

/// Returns the server that should have a partition; `None` when all are about to stop.
fn target(view: &View, partition: Partition) -> Option<&ReplicaId> {
    let ready = view.replicas.iter().filter(|replica| !replica.draining);
    let ids = ready.map(|replica| &replica.id);
    ids.max_by_key(|id| {
        twox_hash::XxHash3_64::oneshot_with_seed(partition.0.into(), id.0.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::PARTITIONS;

    fn id(name: &str) -> ReplicaId {
        ReplicaId(name.to_owned())
    }

    fn view(replicas: &[(&str, bool)], holder: impl Fn(Partition) -> Option<ReplicaId>) -> View {
        let replica = |(name, draining): &(&str, bool)| Replica {
            id: id(name),
            address: format!("{name}:1"),
            reads: true,
            draining: *draining,
        };
        let holders = Partition::all().filter_map(|p| Some((p, holder(p)?))).collect();
        View { replicas: replicas.iter().map(replica).collect(), holders }
    }

    fn all() -> BTreeSet<Partition> {
        Partition::all().collect()
    }

    #[test]
    fn the_first_server_takes_everything() {
        let steps = steps(&view(&[("a", false)], |_| None), &id("a"), &BTreeSet::new(), false);
        assert_eq!(steps.take_up.len(), PARTITIONS as usize);
        assert!(steps.lay_down.is_empty());
    }

    #[test]
    fn a_newcomer_gets_its_share_and_no_other_partition_moves() {
        let before = view(&[("a", false), ("b", false)], |_| None);
        let after = view(&[("a", false), ("b", false), ("c", false)], |_| None);
        let mut moved = 0;
        for partition in Partition::all() {
            let [old, new] = [&before, &after].map(|view| target(view, partition).unwrap());
            if old != new {
                assert_eq!(*new, id("c"));
                moved += 1;
            }
        }
        assert!((PARTITIONS / 6..=PARTITIONS / 2).contains(&moved), "{moved}");
    }

    #[test]
    fn what_is_laid_down_is_what_another_takes_up() {
        let both = view(&[("a", false), ("b", false)], |_| Some(id("a")));
        let laid_down = steps(&both, &id("a"), &all(), false).lay_down;
        assert!(!laid_down.is_empty());
        // As long as the holder is there, nobody takes anything from it.
        assert_eq!(steps(&both, &id("b"), &BTreeSet::new(), false), Steps::default());
        let free =
            view(&[("a", false), ("b", false)], |p| (!laid_down.contains(&p)).then(|| id("a")));
        let taken = steps(&free, &id("b"), &BTreeSet::new(), false).take_up;
        assert_eq!(taken.into_iter().map(|(p, _)| p).collect::<Vec<_>>(), laid_down);
    }

    #[test]
    fn the_partitions_of_a_server_that_is_gone_are_taken_from_it() {
        let gone = view(&[("b", false)], |_| Some(id("a")));
        let taken = steps(&gone, &id("b"), &BTreeSet::new(), false).take_up;
        assert_eq!(taken.len(), PARTITIONS as usize);
        assert!(taken.iter().all(|(_, from)| *from == Some(id("a"))));
    }

    #[test]
    fn a_lease_whose_partition_was_lost_hold_of_is_taken_anew() {
        let mine = view(&[("a", false)], |_| Some(id("a")));
        let taken = steps(&mine, &id("a"), &BTreeSet::new(), false).take_up;
        assert_eq!(taken.len(), PARTITIONS as usize);
        assert_eq!(steps(&mine, &id("a"), &all(), false), Steps::default());
    }

    #[test]
    fn what_another_server_took_over_is_laid_down_by_who_was_silent() {
        let taken = view(&[("a", false)], |_| Some(id("b")));
        assert_eq!(steps(&taken, &id("a"), &all(), false).lay_down.len(), PARTITIONS as usize);
    }

    #[test]
    fn a_lease_is_given_back_until_that_works() {
        let both = view(&[("a", false), ("b", false)], |_| Some(id("a")));
        let first = steps(&both, &id("a"), &all(), false).lay_down;
        let mine = Partition::all().filter(|partition| !first.contains(partition)).collect();
        assert!(!first.is_empty());
        assert_eq!(steps(&both, &id("a"), &mine, false).lay_down, first);
    }

    #[test]
    fn who_leaves_stays_until_others_have_everything() {
        let others = [("a", true), ("b", false)];
        let holds = |who: &'static str| move |_: Partition| Some(id(who));
        assert_eq!(place(&view(&others, holds("a")), &id("a")), Place::Empty, "giving back failed");
        assert_eq!(place(&view(&others, |_| None), &id("a")), Place::Empty);
        assert_eq!(place(&view(&others, holds("c")), &id("a")), Place::Empty, "c is gone");
        let all_but_one = |p: Partition| (p.0 > 0).then(|| id("b"));
        assert_eq!(place(&view(&others, all_but_one), &id("a")), Place::Empty);
        assert_eq!(place(&view(&others, holds("b")), &id("a")), Place::Taken);
        assert_eq!(place(&view(&[("a", true), ("b", true)], |_| None), &id("a")), Place::Last);
        assert_eq!(place(&view(&[("a", true)], |_| None), &id("a")), Place::Last);
    }

    #[test]
    fn who_leaves_lays_everything_down_even_when_nobody_is_there_to_take_it() {
        let alone = view(&[("a", true)], |_| Some(id("a")));
        assert_eq!(steps(&alone, &id("a"), &all(), true).lay_down.len(), PARTITIONS as usize);
    }
}
