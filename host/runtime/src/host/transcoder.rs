//! `transcoder`: jobs for the transcoding service.

use stagehost_batch::{Case, Failure};

use crate::bindings::toq::media::{transcoder, types};
use crate::capability::Submission;
use crate::host::state::{CallState, host_call};
use crate::quotas::Effect;
use crate::text::{check_key, check_length};

/// The most outputs of one job.
const MAX_OUTPUTS: usize = 64;
/// The longest name of an output, in bytes.
const MAX_NAME: usize = 128;

impl transcoder::Host for CallState {
    async fn submit(
        &mut self,
        job: transcoder::Job,
    ) -> wasmtime::Result<Result<transcoder::Submission, types::Failure>> {
        let core = self.enter();
        Ok(host_call(&core, async {
            check(&job)?;
            self.grants.may_read(&job.source_key)?;
            for output in &job.outputs {
                self.grants.may_write(&output.key)?;
            }
            self.effects.count(Effect::Job)?;
            let submission = self.capabilities.transcoder.submit(&self.scope, job.into()).await?;
            Ok(match submission {
                Submission::Running(id) => transcoder::Submission::Running(id),
                Submission::UpToDate(renditions) => {
                    renditions.iter().for_each(|made| self.known.add(&self.budget, &made.key, &made.etag));
                    transcoder::Submission::UpToDate(renditions.into_iter().map(Into::into).collect())
                }
            })
        })
        .await)
    }
}

fn check(job: &transcoder::Job) -> Result<(), Failure> {
    check_key(&job.source_key)?;
    check_length("entity tag", &job.source_etag, MAX_NAME)?;
    if job.outputs.len() > MAX_OUTPUTS {
        let message = format!("a job with {} outputs; at most {MAX_OUTPUTS} are made", job.outputs.len());
        return Err(Failure::new(Case::InvalidInput, message));
    }
    job.outputs.iter().try_for_each(|output| {
        check_key(&output.key)?;
        check_length("name of an output", &output.name, MAX_NAME)
    })
}
