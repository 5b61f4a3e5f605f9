//! ARNs of executions.

/// The ARN of an execution: `arn:PARTITION:states:REGION:ACCOUNT:execution:MACHINE:NAME`, or of one of an express state machine:
/// `…:express:MACHINE:NAME:RUN` (Step Functions API reference, `DescribeExecution` and `StartExecution`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecutionArn<'a> {
    name: &'a str,
}

impl<'a> ExecutionArn<'a> {
    /// Reads an ARN; `None` if the text is not that of an execution.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(':');
        let mut part = || parts.next();
        let (arn, partition, service, region) = (part()?, part()?, part()?, part()?);
        let (account, kind, machine, name) = (part()?, part()?, part()?, part()?);
        let runs = match kind {
            "execution" => 0,
            "express" => 1,
            _ => return None,
        };
        let whole = arn == "arn" && service == "states" && parts.count() == runs;
        let filled = [partition, region, account, machine, name].iter().all(|part| !part.is_empty());
        (whole && filled).then_some(Self { name })
    }

    /// Returns the execution's name, which is unique in its state machine.
    pub fn name(self) -> &'a str {
        self.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_read_from_the_arn_of_an_execution_and_of_nothing_else() {
        let name = |text: &'static str| ExecutionArn::parse(text).map(ExecutionArn::name);
        assert_eq!(
            name("arn:aws:states:us-east-1:123456789012:execution:sm:listing-51_retry-0"),
            Some("listing-51_retry-0")
        );
        assert_eq!(name("arn:aws-cn:states:cn-north-1:123456789012:express:sm:one:5f3c"), Some("one"));
        for other in [
            "",
            "listing-51_retry-0",
            "arn:aws:states:us-east-1:123456789012:stateMachine:sm",
            "arn:aws:states:us-east-1:123456789012:stateMachine:sm:live",
            "arn:aws:states:us-east-1:123456789012:execution:sm:",
            "arn:aws:states:us-east-1:123456789012:execution:sm:a:b",
            "arn:aws:states:us-east-1:123456789012:express:sm:one",
            "arn:aws:sqs:us-east-1:123456789012:execution:sm:one",
            "urn:aws:states:us-east-1:123456789012:execution:sm:one",
        ] {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
