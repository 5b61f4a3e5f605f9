//! `transcoder`: jobs for the transcoding service.

use crate::bindings::toq::media::{transcoder, types};
use crate::capability::Submission;
use crate::host::state::{CallState, host_call};

impl transcoder::Host for CallState {
    async fn submit(
        &mut self,
        job: transcoder::Job,
    ) -> wasmtime::Result<Result<transcoder::Submission, types::Failure>> {
        Ok(host_call(&self.core.clone(), async {
            self.grants.may_read(&job.source_key)?;
            for output in &job.outputs {
                self.grants.may_write(&output.key)?;
            }
            let submission = self.capabilities.transcoder.submit(&self.scope, job.into()).await?;
            Ok(match submission {
                Submission::Running(id) => transcoder::Submission::Running(id),
                Submission::UpToDate(renditions) => {
                    transcoder::Submission::UpToDate(renditions.into_iter().map(Into::into).collect())
                }
            })
        })
        .await)
    }
}
