//! Alarms are in the journal, once, and survive a start.

use super::world::{World, command, default, with_key};
use crate::{
    app::*,
    domain::{
        alarm::{Alarm, Measure, Share},
        event::Event,
        id::ActorId,
        time::UnixMillis,
    },
};

fn alarm(group: &str, first_received_at: UnixMillis) -> Alarm {
    Alarm {
        attribute: "region".to_owned(),
        measure: Measure::SlowStart,
        group: group.to_owned(),
        own: Share { hits: 10, count: 20 },
        others: Share { hits: 10, count: 90 },
        low: 0.1,
        high: 0.6,
        log_evidence: 8.0,
        first_received_at,
        last_received_at: first_received_at,
    }
}

fn raise(group: &str, at: UnixMillis) -> Command {
    command(Action::RaiseAlarm(Box::new(alarm(group, at))))
}

fn acknowledge(alarm: u64) -> Command {
    let note = "two more people on Mondays".to_owned();
    let mut acknowledge = command(Action::AcknowledgeAlarm { alarm, note });
    acknowledge.actor = ActorId::new("officer").ok();
    acknowledge
}

async fn list(world: &World, only_open: bool, page: PageRequest) -> Page<AlarmView> {
    world.handle.alarm_list(&default(), only_open, page).await.unwrap()
}

fn first_page() -> PageRequest {
    PageRequest { size: 50, token: String::new() }
}

#[tokio::test]
async fn an_alarm_is_raised_once_acknowledged_once_and_known_after_a_start() {
    let mut world = World::start().await;
    let began = world.handle.now();
    let news = world.handle.watch(Topic::Alarms(default()));
    let raised = world.handle.command(raise("north", began)).await.unwrap().sequence;
    assert_eq!(*news.borrow(), raised, "streams are woken");
    // Another server's monitor, or this one's after a start, comes to the same.
    for group in ["north", "south"] {
        let again = world.handle.command(raise(group, began)).await.unwrap();
        assert_eq!(again.sequence, raised, "nothing was written");
    }
    world.restart().await;
    let open = list(&world, true, first_page()).await.items;
    let [one] = open.as_slice() else { panic!("{open:?}") };
    assert_eq!((one.sequence, one.alarm.group.as_str()), (raised, "north"));

    world.pass(1_000);
    let refused = world.handle.command(acknowledge(raised + 1)).await;
    assert!(matches!(refused, Err(Error::AlarmNotOpen(_))));
    let done = world.handle.command(with_key(acknowledge(raised), "k", 1)).await.unwrap();
    let again = world.handle.command(with_key(acknowledge(raised), "k", 1)).await.unwrap();
    assert!(again.replayed && again.sequence == done.sequence);
    let refused = world.handle.command(acknowledge(raised)).await;
    assert!(matches!(refused, Err(Error::AlarmNotOpen(_))), "it was acknowledged");
    world.restart().await;
    assert!(list(&world, true, first_page()).await.items.is_empty());
    let all = list(&world, false, first_page()).await.items;
    let by = all[0].acknowledgement.as_ref().unwrap();
    assert_eq!((by.sequence, by.actor.as_ref().unwrap().as_str()), (done.sequence, "officer"));
    assert_eq!(by.note, "two more people on Mondays");

    // What was known before is not raised again; what came later is.
    let stale = world.handle.command(raise("north", began)).await.unwrap().sequence;
    world.pass(1_000);
    let now = world.handle.now();
    let new = world.handle.command(raise("north", now)).await.unwrap().sequence;
    assert!(new > stale);
    let entries = world.handle.entries(&default(), EntryFilter::Alarms, 0, 10).await.unwrap();
    let names: Vec<_> = entries.iter().map(|entry| entry.event.name()).collect();
    assert_eq!(names, ["alarm_raised", "alarm_acknowledged", "alarm_raised"]);
    assert!(entries.iter().all(|entry| {
        entry.actor.is_none() == matches!(entry.event, Event::AlarmRaised { .. })
    }));
    let page = list(&world, false, PageRequest { size: 1, token: String::new() }).await;
    assert_eq!(page.items[0].sequence, new, "the newest first");
    let page = list(&world, false, PageRequest { size: 1, token: page.next }).await;
    assert_eq!((page.items[0].sequence, page.next.as_str()), (raised, ""));
}
