//! `InsightService`: what the service did, and how evenly.

use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::{
    Messages,
    admission::Admission,
    alarms,
    context::Context,
    convert,
    error::Error,
    respond,
    validate::{self, Check},
};
use crate::{
    api::v1::{self, insight_service_server::InsightService},
    app::{DecisionFilter, Handle},
    domain::limits,
    fairness::{self, Options},
};

/// Fewest tickets of a group that a caller may ask for.
const GROUP_TICKETS: std::ops::RangeInclusive<u32> = 2..=100_000;

/// The service.
#[derive(Clone)]
pub(crate) struct Insight {
    pub(crate) handle: Handle,
    /// Fewest tickets behind a number of a segment that is shown.
    pub(crate) shown_tickets_min: u64,
    /// Turns true when streams must end.
    pub(crate) draining: watch::Receiver<bool>,
    /// Seats for StreamAlarms streams.
    pub(crate) streams: Admission,
    /// Seats for measures, each of which looks at every ticket of a period.
    pub(crate) measures: Admission,
}

#[tonic::async_trait]
impl InsightService for Insight {
    type StreamAlarmsStream = Messages<v1::StreamAlarmsResponse>;

    async fn acknowledge_alarm(
        &self,
        request: Request<v1::AcknowledgeAlarmRequest>,
    ) -> Result<Response<v1::AcknowledgeAlarmResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(alarms::acknowledge(&self.handle, &context, request)).await)
    }

    async fn get_bias_metrics(
        &self,
        request: Request<v1::GetBiasMetricsRequest>,
    ) -> Result<Response<v1::GetBiasMetricsResponse>, Status> {
        let (context, request) = Context::split(request)?;
        let _seat = self.measures.enter()?;
        respond(context.within(self.bias(&context, request)).await)
    }

    async fn get_decision_record(
        &self,
        request: Request<v1::GetDecisionRecordRequest>,
    ) -> Result<Response<v1::GetDecisionRecordResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.decision(&context, request)).await)
    }

    async fn list_decision_records(
        &self,
        request: Request<v1::ListDecisionRecordsRequest>,
    ) -> Result<Response<v1::ListDecisionRecordsResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(self.decisions(&context, request)).await)
    }

    async fn get_fairness_evidence(
        &self,
        request: Request<v1::GetFairnessEvidenceRequest>,
    ) -> Result<Response<v1::GetFairnessEvidenceResponse>, Status> {
        let (context, request) = Context::split(request)?;
        let _seat = self.measures.enter()?;
        respond(context.within(self.evidence(&context, request)).await)
    }

    async fn list_alarms(
        &self,
        request: Request<v1::ListAlarmsRequest>,
    ) -> Result<Response<v1::ListAlarmsResponse>, Status> {
        let (context, request) = Context::split(request)?;
        respond(context.within(alarms::list(&self.handle, &context, request)).await)
    }

    async fn stream_alarms(
        &self,
        request: Request<v1::StreamAlarmsRequest>,
    ) -> Result<Response<Self::StreamAlarmsStream>, Status> {
        let (context, request) = Context::split(request)?;
        let seat = self.streams.enter()?;
        let (handle, draining) = (&self.handle, &self.draining);
        respond(alarms::stream(handle, draining, context, request.after_sequence, seat).await)
    }

    async fn get_service_measures(
        &self,
        request: Request<v1::GetServiceMeasuresRequest>,
    ) -> Result<Response<v1::GetServiceMeasuresResponse>, Status> {
        let (context, request) = Context::split(request)?;
        let _seat = self.measures.enter()?;
        respond(context.within(self.service(&context, request)).await)
    }
}

impl Insight {
    async fn bias(
        &self,
        context: &Context,
        request: v1::GetBiasMetricsRequest,
    ) -> Result<v1::GetBiasMetricsResponse, Error> {
        let declared = self.handle.workspace(&context.workspace).await?.settings.segment_attributes;
        let mut check = Check::default();
        let (start, end) = check.period(request.start_time, request.end_time);
        let group_tickets_min = match request.group_tickets_min {
            0 => Options::GROUP_TICKETS_MIN_DEFAULT,
            min => u64::from(check.range("group_tickets_min", min, GROUP_TICKETS)),
        };
        let attributes = attributes(&mut check, request.attributes, declared);
        let attributes = check.finish(Some(attributes))?;
        let facts = self.handle.facts(&context.workspace, start, end).await?;
        let now = self.handle.now();
        let ticket_count = facts.len() as u64;
        let shown_tickets_min = self.shown_tickets_min;
        let options =
            Options { group_tickets_min, shown_tickets_min, ..Options::new(attributes, now) };
        let measured = apart(move || fairness::measure(&facts, &options)).await?;
        Ok(v1::GetBiasMetricsResponse {
            attributes: measured.into_iter().map(convert::attribute_measures).collect(),
            ticket_count,
            measure_time: Some(convert::timestamp(now)),
            group_tickets_min: u32::try_from(group_tickets_min).unwrap_or(u32::MAX),
            shown_tickets_min: u32::try_from(shown_tickets_min).unwrap_or(u32::MAX),
        })
    }

    async fn evidence(
        &self,
        context: &Context,
        request: v1::GetFairnessEvidenceRequest,
    ) -> Result<v1::GetFairnessEvidenceResponse, Error> {
        let settings = self.handle.workspace(&context.workspace).await?.settings;
        let mut check = Check::default();
        let attributes = attributes(&mut check, request.attributes, settings.segment_attributes);
        let attributes = check.finish(Some(attributes))?;
        let now = self.handle.now();
        let watches = self.handle.watches(&context.workspace, attributes).await?;
        let watches = self.handle.catch_up(&context.workspace, watches).await?;
        let wait_secs = settings.outcome_wait_secs.unwrap_or(limits::OUTCOME_WAIT_SECS_DEFAULT);
        let shown_tickets_min = self.shown_tickets_min;
        let show = move |watch: &_| convert::attribute_evidence(watch, shown_tickets_min);
        Ok(v1::GetFairnessEvidenceResponse {
            attributes: apart(move || watches.iter().map(show).collect()).await?,
            measure_time: Some(convert::timestamp(now)),
            outcome_wait_secs: wait_secs,
        })
    }

    async fn service(
        &self,
        context: &Context,
        request: v1::GetServiceMeasuresRequest,
    ) -> Result<v1::GetServiceMeasuresResponse, Error> {
        let mut check = Check::default();
        let period = check.period(request.start_time, request.end_time);
        let (start, end) = check.finish(Some(period))?;
        let facts = self.handle.facts(&context.workspace, start, end).await?;
        let loads = self.handle.loads(&context.workspace).await?;
        let unstaffed = self.handle.unstaffed(&context.workspace).await?;
        let now = self.handle.now();
        let horizon_secs = Options::HORIZON_SECS_DEFAULT;
        let measure = move || fairness::measure_service(&facts, horizon_secs, now);
        Ok(convert::service_measures(apart(measure).await?, loads, unstaffed))
    }

    async fn decision(
        &self,
        context: &Context,
        request: v1::GetDecisionRecordRequest,
    ) -> Result<v1::GetDecisionRecordResponse, Error> {
        let mut check = Check::default();
        if request.sequence == 0 {
            check.reject("sequence", "must be the sequence number of a decision, from 1");
        }
        check.finish(Some(()))?;
        let view = self.handle.decision(&context.workspace, request.sequence).await?;
        let decision = convert::decision(view).ok_or(Error::Internal)?;
        Ok(v1::GetDecisionRecordResponse { decision: Some(decision) })
    }

    async fn decisions(
        &self,
        context: &Context,
        request: v1::ListDecisionRecordsRequest,
    ) -> Result<v1::ListDecisionRecordsResponse, Error> {
        let mut check = Check::default();
        let given = |text: &str| !text.is_empty();
        let ticket = given(&request.ticket_id)
            .then(|| check.ticket("ticket_id", &request.ticket_id))
            .flatten();
        let agent =
            given(&request.agent_id).then(|| check.agent("agent_id", &request.agent_id)).flatten();
        let filter = check.finish(Some(DecisionFilter { ticket, agent }))?;
        let page = validate::page(request.page_size, request.page_token);
        let page = self.handle.decisions(&context.workspace, filter, page).await?;
        let decisions = page.items.into_iter().filter_map(convert::decision).collect();
        Ok(v1::ListDecisionRecordsResponse { decisions, next_page_token: page.next })
    }
}

/// Takes the attributes asked for, each once; all declared ones when none is named.
fn attributes(check: &mut Check, asked: Vec<String>, declared: Vec<String>) -> Vec<String> {
    if asked.is_empty() {
        return declared;
    }
    for (index, attribute) in asked.iter().enumerate() {
        if asked[..index].contains(attribute) {
            check.reject(&format!("attributes[{index}]"), "must not repeat an attribute");
        }
    }
    if check.count("attributes", asked.len(), limits::SEGMENTS_MAX) {
        for (index, attribute) in asked.iter().enumerate() {
            if !declared.contains(attribute) {
                let names = declared.join(", ");
                let allowed =
                    format!("must be a segment attribute the workspace declares: {names}");
                check.reject(&format!("attributes[{index}]"), allowed);
            }
        }
    }
    asked
}

/// Runs arithmetic over many tickets beside the threads that answer calls.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Internal)
}
