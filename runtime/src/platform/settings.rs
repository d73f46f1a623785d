//! What an operator says about the platform: who is asked for evidence, and where the chain of its
//! signing key comes from. Paths and addresses may name environment variables, which are looked up
//! when they are needed: a configuration for hardware starts on a machine without it.

use crate::limits::{ENDORSEMENT_ATTEMPTS_DEFAULT, ENDORSEMENT_BYTES_MAX, TEXT_BYTES_MAX};

/// Everything about the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformSettings {
    /// Who is asked for evidence.
    pub provider: Provider,
    /// Directory of the kernel's reports, instead of the usual one.
    pub tsm_root: Option<String>,
    /// The privilege level to ask at; the lowest possible, unless it is set.
    pub vmpl: Option<u32>,
    /// Base URL of the key release sidecar; without one, none is looked for.
    pub sidecar_url: Option<String>,
    /// Device of the virtual TPM, instead of the usual one.
    pub tpm_device: Option<String>,
    /// Servers for the chain of the chip's key, in the order in which they are asked. None: Azure's.
    pub endorsement_servers: Vec<EndorsementServer>,
    /// File with the container policy, in base64.
    pub security_policy_file: Option<String>,
    /// File with the endorsement of the utility VM, in base64.
    pub uvm_endorsements_file: Option<String>,
    /// File with the host's certificates, in base64.
    pub endorsements_file: Option<String>,
    /// Environment variables that hold the same, where no file does.
    pub environment: ContextVariables,
}

impl Default for PlatformSettings {
    fn default() -> Self {
        Self {
            provider: Provider::Auto,
            tsm_root: None,
            vmpl: None,
            sidecar_url: None,
            tpm_device: None,
            endorsement_servers: Vec::new(),
            security_policy_file: None,
            uvm_endorsements_file: None,
            endorsements_file: None,
            environment: ContextVariables::default(),
        }
    }
}

/// Who is asked for evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Provider {
    /// The first that is there: configfs, the device, a sidecar that is configured, the virtual one.
    #[default]
    Auto,
    /// The kernel, through configfs.
    Tsm,
    /// The kernel, through its device.
    SevGuest,
    /// The key release sidecar.
    Sidecar,
    /// The virtual TPM of an Azure confidential VM.
    Vtpm,
    /// Nobody: what it shows proves nothing.
    Virtual,
}

/// Names of environment variables with base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContextVariables {
    /// The container policy.
    pub security_policy: String,
    /// The endorsement of the utility VM.
    pub uvm_endorsements: String,
    /// The host's certificates.
    pub report_endorsements: String,
}

impl Default for ContextVariables {
    fn default() -> Self {
        Self {
            security_policy: "UVM_SECURITY_POLICY".to_owned(),
            uvm_endorsements: "UVM_REFERENCE_INFO".to_owned(),
            report_endorsements: "UVM_HOST_AMD_CERTIFICATE".to_owned(),
        }
    }
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerKind {
    /// AMD's key distribution service.
    Amd,
    /// Azure's cache of it.
    Azure,
    /// The host's own service, or the metadata service of an Azure VM.
    Thim,
}

impl ServerKind {
    /// CCF's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amd => "AMD",
            Self::Azure => "Azure",
            Self::Thim => "THIM",
        }
    }

    /// Where it usually is: `host:port`.
    #[must_use]
    pub const fn usual_address(self) -> &'static str {
        match self {
            Self::Amd => "kdsintf.amd.com:443",
            Self::Azure => "global.acccache.azure.net:443",
            Self::Thim => "169.254.169.254:80",
        }
    }
}

/// A server for the chain of the chip's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsementServer {
    /// What it speaks.
    pub kind: ServerKind,
    /// `host:port`, with `http://` or `https://` before it where it is not as usual for the kind;
    /// `None`: where it usually is.
    pub url: Option<String>,
    /// How often it is asked, if it does not answer.
    pub attempts_max: u32,
    /// Largest answer, in bytes.
    pub answer_bytes_max: usize,
}

impl EndorsementServer {
    /// A server of this kind, where it usually is.
    #[must_use]
    pub const fn usual(kind: ServerKind) -> Self {
        Self {
            kind,
            url: None,
            attempts_max: ENDORSEMENT_ATTEMPTS_DEFAULT,
            answer_bytes_max: ENDORSEMENT_BYTES_MAX,
        }
    }
}

/// Puts in the values of environment variables: `$NAME` or `${NAME}`.
///
/// # Errors
/// One is not set, or the text is too long with them.
pub(crate) fn expand(
    text: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, after) = match after.strip_prefix('{') {
            Some(braced) => {
                braced.split_once('}').ok_or_else(|| format!("{text:?}: a brace is not closed"))?
            }
            None => {
                let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
                let length = after.bytes().take_while(|byte| part(*byte)).count();
                after.split_at(length)
            }
        };
        if name.is_empty() {
            return Err(format!("{text:?}: $ is followed by no name"));
        }
        let value = variable(name)
            .ok_or_else(|| format!("{text:?}: the environment has no variable {name}"))?;
        out.push_str(&value);
        if out.len() > TEXT_BYTES_MAX {
            return Err(format!("{text:?}: more than {TEXT_BYTES_MAX} bytes"));
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn environment_variables_are_put_in() {
        let variable = |name: &str| match name {
            "A_1" => Some("one".to_owned()),
            "B" => Some("$A_1".to_owned()),
            _ => None,
        };
        for (text, expanded) in [
            ("", ""),
            ("/plain/path", "/plain/path"),
            ("$A_1/x", "one/x"),
            ("x-${A_1}y:2377", "x-oney:2377"),
            // A value is not looked into again.
            ("$B$A_1", "$A_1one"),
        ] {
            assert_eq!(expand(text, &variable).unwrap(), expanded, "{text}");
        }
        for (text, words) in [
            ("$C/x", "no variable C"),
            ("a$", "no name"),
            ("${A_1", "not closed"),
            ("${}", "no name"),
        ] {
            let error = expand(text, &variable).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        let long = |_: &str| Some("x".repeat(TEXT_BYTES_MAX));
        assert!(expand("$A$B", &long).is_err());
    }
}
