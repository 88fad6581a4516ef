//! Mistakes made on purpose, in tests only, to see that the simulation finds them.

/// Returns whether a mistake is made on purpose; never outside tests, where it costs nothing.
macro_rules! planted {
    ($bug:ident) => {{
        #[cfg(test)]
        {
            $crate::domain::planted::is($crate::domain::planted::Bug::$bug)
        }
        #[cfg(not(test))]
        {
            false
        }
    }};
}
pub(crate) use planted;

#[cfg(test)]
pub(crate) use bugs::{Bug, is, plant};

#[cfg(test)]
mod bugs {
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    }

    /// Plants a bug in this thread, or none.
    pub(crate) fn plant(bug: Option<Bug>) {
        PLANTED.set(bug);
    }

    /// Returns whether a bug is planted in this thread.
    pub(crate) fn is(bug: Bug) -> bool {
        PLANTED.get() == Some(bug)
    }

    macro_rules! bugs {
        ($($(#[$doc:meta])* $name:ident,)*) => {
            /// A mistake somebody could make.
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub(crate) enum Bug { $($(#[$doc])* $name,)* }

            impl Bug {
                pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];
            }
        };
    }

    bugs! {
        /// Callers are answered, and told of success, before the commit.
        AnswerBeforeCommit,
        /// A commit does not look whether the lease is still held.
        NoFence,
        /// A commit looks at the lease when it begins and does not lock it.
        LeaseNotLocked,
        /// After a lost connection the epoch stays, so that the old transaction may still become durable.
        EpochNotMovedOn,
        /// A commit whose end is unknown is taken as done.
        UnknownIsDone,
        /// A commit whose end is unknown is taken as failed.
        UnknownIsFailed,
        /// After a rollback, memory stays as it was.
        NoReload,
        /// Keys are not stored.
        KeyNotStored,
        /// Keys are known to the server that saw them only.
        KeyForgottenAtRestart,
        /// Keys are forgotten when a minute has passed.
        KeyForgottenEarly,
        /// A key stands for whatever came with it.
        KeyWithoutContent,
        /// A key that came before in the same round is not noticed.
        KeyTwiceInARound,
        /// What was known lately is kept when another server takes over.
        RecentNotForgotten,
        /// Streams go on when another server takes over.
        TopicsNotEnded,
        /// A partition whose workspaces could not be read is led even so.
        LedWithoutLoading,
        /// A snapshot says that it has one entry more than it has.
        SnapshotOneAhead,
        /// A snapshot says that it has one entry less than it has.
        SnapshotOneBehind,
        /// A snapshot is taken of what is not durable yet.
        SnapshotOfUncommitted,
        /// Damaged snapshots are read.
        SnapshotDamageUnseen,
        /// Reading a journal leaves out the first entry after a snapshot.
        ReplaySkipsOne,
        /// An offer may be accepted when its time is over.
        LateAccept,
        /// An offer may be accepted twice.
        DoubleAccept,
        /// An offer may be accepted by anybody.
        AcceptByAnother,
        /// Agents may get one unit more than they have.
        CapacityOffByOne,
        /// Offers do not lapse after a start from a snapshot.
        OffersNeverLapse,
        /// Streams are taken for open after a start.
        StreamsSurvive,
        /// Time may go back.
        TimeGoesBack,
        /// Time starts at the wall clock, whatever the journal says.
        TimeStartsAnew,
        /// A lease is taken though its holder is there.
        TakenFromTheLiving,
        /// A lease whose giving back failed is never given back.
        LeaseNeverGivenBack,
        /// The partitions of a server that is gone stay with it.
        GoneKeepItAll,
        /// A server that leaves goes on with its workspaces.
        LeavesAndGoesOn,
        /// A batch that found the disk full is taken as durable.
        FullIsDone,
        /// A disk that was full is full for ever.
        FullForEver,
        /// What falls due happens and is not journaled.
        TickNotJournaled,
        /// Nothing falls due without a caller.
        NoTicks,
        /// The line is lost at a restart: tickets come anew.
        QueueOrderLost,
        /// Tickets nobody has read are forgotten at a restart.
        BacklogLost,
        /// A batch becomes durable in part.
        TornCommit,
        /// What was committed last is lost with a crash.
        LastCommitsLost,
        /// Rows of tickets are not written with the journal.
        RowsNotWritten,
        /// Streams are not told of every entry.
        NewsSkipped,
        /// After a lost connection whose end another server must tell, callers are told of success.
        LostIsDone,
        /// New workspaces stay after a rollback.
        NewWorkspaceStays,
    }
}
