//! Alarms about fair treatment: lists, the stream, and who has seen to them.

use tokio::sync::{OwnedSemaphorePermit, watch};
use tonic::Status;

use super::{
    Messages,
    context::Context,
    convert,
    cursor::{Cursor, Next},
    error::Error,
    idempotency::workspace_key,
    validate::{self, Check},
};
use crate::{
    api::v1::{self, stream_alarms_response::Update},
    app::{self, Acknowledgement, Action, AlarmView, Command, EntryFilter, Handle},
    domain::{
        event::{Entry, Event},
        limits::NOTE_CHARS_MAX,
    },
};

pub(crate) async fn acknowledge(
    handle: &Handle,
    context: &Context,
    mut request: v1::AcknowledgeAlarmRequest,
) -> Result<v1::AcknowledgeAlarmResponse, Error> {
    let key = std::mem::take(&mut request.idempotency_key);
    let idempotency = workspace_key("AcknowledgeAlarm", &key, &request);
    let mut check = Check::default();
    check.idempotency_key(&key);
    if request.alarm_sequence == 0 {
        check.reject("alarm_sequence", "must be the sequence number of an alarm, from 1");
    }
    let note = check.text("note", &request.note, 1..=NOTE_CHARS_MAX);
    let note = check.finish(Some(note))?;
    let command = Command {
        workspace: context.workspace.clone(),
        actor: context.actor.clone(),
        idempotency,
        action: Action::AcknowledgeAlarm { alarm: request.alarm_sequence, note },
    };
    handle.command(command).await?;
    Ok(v1::AcknowledgeAlarmResponse {})
}

pub(crate) async fn list(
    handle: &Handle,
    context: &Context,
    request: v1::ListAlarmsRequest,
) -> Result<v1::ListAlarmsResponse, Error> {
    let page = validate::page(request.page_size, request.page_token);
    let page = handle.alarm_list(&context.workspace, request.only_open, page).await?;
    let alarms = page.items.into_iter().map(convert::alarm).collect();
    Ok(v1::ListAlarmsResponse { alarms, next_page_token: page.next })
}

/// Opens the stream of what happens to alarms after a sequence number.
pub(crate) async fn stream(
    handle: &Handle,
    draining: &watch::Receiver<bool>,
    context: Context,
    after_sequence: u64,
    seat: OwnedSemaphorePermit,
) -> Result<Messages<v1::StreamAlarmsResponse>, Error> {
    // Says NOT_FOUND before the stream starts.
    context.within(async { Ok(handle.workspace(&context.workspace).await?) }).await?;
    let filter = EntryFilter::Alarms;
    let cursor = Cursor::new(handle, &context.workspace, filter, after_sequence, draining);
    Ok(Box::pin(futures::stream::unfold(Some((context, cursor, seat)), |feed| async {
        // The seat is given back when the stream ends.
        let (context, mut cursor, seat) = feed?;
        match next(&context, &mut cursor).await {
            Ok(message) => Some((Ok(message), Some((context, cursor, seat)))),
            Err(error) => Some((Err(Status::from(error)), None)),
        }
    })))
}

async fn next(context: &Context, cursor: &mut Cursor) -> Result<v1::StreamAlarmsResponse, Error> {
    loop {
        match context.within(cursor.next(None)).await? {
            Next::Entry(entry) => {
                if let Some(message) = message(*entry) {
                    return Ok(message);
                }
            }
            Next::Quiet => {}
            Next::Stopping => return Err(Error::Engine(app::Error::Stopping)),
        }
    }
}

/// Returns what the stream says of an entry; `None` when it is about no alarm.
fn message(Entry { sequence, at, actor, event }: Entry) -> Option<v1::StreamAlarmsResponse> {
    let update = match event {
        Event::AlarmRaised { alarm } => {
            let view = AlarmView { sequence, raised_at: at, alarm: *alarm, acknowledgement: None };
            Update::Alarm(convert::alarm(view))
        }
        Event::AlarmAcknowledged { alarm, note } => Update::Acknowledged(v1::AcknowledgedAlarm {
            alarm_sequence: alarm,
            acknowledgement: Some(convert::acknowledged(Acknowledgement {
                sequence,
                at,
                actor,
                note,
            })),
        }),
        _ => return None,
    };
    Some(v1::StreamAlarmsResponse { sequence, update: Some(update) })
}
