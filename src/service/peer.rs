//! What servers that share a database do for each other: reading texts, so that all their processors read.

use std::{sync::Arc, time::Duration};

use tonic::{Code, Request, Response, Status, async_trait};

use super::{error::Error, peers::Peers};
use crate::{
    api::peer::{
        ReadRequest, ReadResponse, peer_service_client::PeerServiceClient,
        peer_service_server::PeerService,
    },
    app::{Colleagues, Handle},
    classifier::{Classify, ClassifyError, ModelInfo, Readings},
    domain::{limits::CLASSIFY_TEXTS_MAX, reading::Reading},
};

/// How long another server's model has to read a call's texts; then they are read elsewhere.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// The service.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) handle: Handle,
}

#[async_trait]
impl PeerService for Peer {
    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<ReadResponse>, Status> {
        let texts = request.into_inner().texts;
        if texts.len() > CLASSIFY_TEXTS_MAX {
            return Err(Error::Malformed.into());
        }
        let readings = self.handle.classify(texts).await.map_err(Error::from)?;
        let readings = readings.iter().map(serde_json::to_string).collect::<Result<_, _>>();
        // A reading that is not finite has no form; the other server reads the text elsewhere.
        let readings = readings.map_err(|_| Status::from(Error::Internal))?;
        Ok(Response::new(ReadResponse { readings }))
    }
}

impl Colleagues for Peers {
    fn model(&self, address: &str) -> Arc<dyn Classify> {
        Arc::new(PeerModel { peers: self.clone(), address: address.to_owned() })
    }
}

/// The model of another server.
struct PeerModel {
    peers: Peers,
    address: String,
}

impl PeerModel {
    async fn read(
        peers: Peers,
        address: String,
        texts: Vec<String>,
    ) -> Result<Vec<Reading>, Status> {
        let line = peers.line(&address)?;
        let mut client = PeerServiceClient::new(line.channel.clone());
        let answer = client.read(ReadRequest { texts }).await?.into_inner();
        let readings = answer.readings.iter().map(|reading| serde_json::from_str(reading));
        readings.collect::<Result<_, _>>().map_err(|_| Error::Malformed.into())
    }
}

impl Classify for PeerModel {
    fn classify(&self, texts: Vec<String>) -> Readings {
        let read = Self::read(self.peers.clone(), self.address.clone(), texts);
        Box::pin(async {
            match tokio::time::timeout(READ_WITHIN, read).await {
                Ok(Ok(readings)) => Ok(readings),
                Ok(Err(status)) if status.code() == Code::ResourceExhausted => {
                    Err(ClassifyError::Full { max: CLASSIFY_TEXTS_MAX })
                }
                Ok(Err(_)) | Err(_) => Err(ClassifyError::Down),
            }
        })
    }

    fn info(&self) -> ModelInfo {
        ModelInfo::default()
    }
}
