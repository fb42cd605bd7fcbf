//! Access to a deployment as its operator, with the AWS credentials of this machine.
//!
//! ```text
//! signed    a signed call of an AWS service for which the project has no SDK
//! outputs   the outputs of the stack, which name its resources
//! users     the user pool
//! ```
//!
//! Three calls of Cognito and one of CloudFormation do not justify two SDKs, each of which takes minutes to build.

mod outputs;
mod signed;
mod users;

pub use outputs::Outputs;
pub use signed::Aws;
pub use users::{PoolUser, UserPool, Who};
