//! Evidence of nothing: refused unless the policy names it.

use super::identity::{bound_to, one_of};
use super::{counted, fail, policy_check, warn};
use crate::evidence::VirtualEvidence;
use crate::policy::{Allowed, Policy};
use crate::verdict::Verdict;

/// Verifies virtual evidence: only a policy that names it accepts it, and the verdict says that it
/// proves nothing.
pub fn verify_virtual(evidence: &VirtualEvidence, policy: &Policy) -> Verdict {
    let mut checks = vec![policy_check(policy)];
    let Some(rule) = &policy.insecure_virtual else {
        let why = "virtual evidence: no hardware stands behind it, and the policy does not name it";
        checks.push(fail("virtual evidence", "virtual", "AMD SEV-SNP", why));
        return Verdict { checks };
    };
    let why = "virtual evidence: no hardware stands behind it; the policy accepts that";
    checks.push(warn("virtual evidence", "virtual", "", why));
    // A text, not hex: exactly the same.
    let measurement = &evidence.measurement;
    checks.push(match &rule.measurements {
        Allowed::OneOf(list) if !list.contains(measurement) => {
            fail("measurement", measurement, counted(list), "not in the policy's list")
        }
        allowed => one_of("measurement", measurement.clone(), allowed),
    });
    checks.push(one_of("host data", evidence.host_data.clone(), &rule.host_data));
    checks.push(match evidence.report_data.len() {
        32 | 64 => bound_to(evidence.bound.as_deref(), &evidence.report_data, policy.unbound),
        found => {
            let found = format!("{found} bytes");
            fail("binding", found, "32 or 64 bytes", "report_data has another length")
        }
    });
    Verdict { checks }
}
