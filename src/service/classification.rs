//! `ClassificationService`: reading texts without making tickets of them.

use tonic::{Request, Response, Status};

use super::{
    admission::Admission, context::Context, convert, error::Error, respond, validate::Check,
};
use crate::{
    api::v1::{self, classification_service_server::ClassificationService},
    app::{self, Handle},
    domain::limits::{BODY_CHARS_MAX, CLASSIFY_TEXTS_MAX},
};

/// The service.
#[derive(Clone)]
pub(crate) struct Classification {
    pub(crate) handle: Handle,
    /// Seats for calls, each of which may hold many long texts.
    pub(crate) calls: Admission,
}

#[tonic::async_trait]
impl ClassificationService for Classification {
    async fn classify(
        &self,
        request: Request<v1::ClassifyRequest>,
    ) -> Result<Response<v1::ClassifyResponse>, Status> {
        let (context, request) = Context::split(request)?;
        let _seat = self.calls.enter()?;
        respond(context.within(self.read(request)).await)
    }

    async fn get_model(
        &self,
        _request: Request<v1::GetModelRequest>,
    ) -> Result<Response<v1::GetModelResponse>, Status> {
        let model = self.handle.model().map_err(Error::from)?;
        Ok(Response::new(v1::GetModelResponse {
            model: model.name,
            sha256: model.sha256,
            intents: model.intents,
            languages: model.languages,
            tokens_max: u32::try_from(model.tokens_max).unwrap_or(u32::MAX),
        }))
    }
}

impl Classification {
    async fn read(&self, request: v1::ClassifyRequest) -> Result<v1::ClassifyResponse, Error> {
        let mut check = Check::default();
        let mut texts = Vec::new();
        if request.texts.is_empty() {
            check.reject("texts", format!("must have 1 to {CLASSIFY_TEXTS_MAX} entries"));
        } else if check.count("texts", request.texts.len(), CLASSIFY_TEXTS_MAX) {
            for (index, text) in request.texts.iter().enumerate() {
                texts.push(check.text(&format!("texts[{index}]"), text, 1..=BODY_CHARS_MAX));
            }
        }
        let texts = check.finish(Some(texts))?;
        match self.handle.classify(texts).await {
            Ok(readings) => {
                let readings = readings.into_iter().map(convert::reading).collect();
                Ok(v1::ClassifyResponse { readings })
            }
            Err(app::Error::Full { max, .. }) => Err(Error::ClassifierFull { max }),
            Err(error) => Err(error.into()),
        }
    }
}
