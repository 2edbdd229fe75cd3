//! Refusals of the token and sign-in endpoints: OAuth's error, the number that people search for (the list of AADSTS
//! codes in Microsoft's documentation, "Microsoft Entra authentication and authorization error codes"), and a sentence.

use crate::{AssertionError, CertificateProblem};

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP.
    pub status: u16,
    pub error: &'static str,
    /// The digits after `AADSTS`.
    pub number: u32,
    pub text: String,
    /// Seconds.
    pub retry_after: Option<u64>,
}

impl Refusal {
    pub fn new(status: u16, error: &'static str, number: u32, text: impl Into<String>) -> Refusal {
        Refusal { status, error, number, text: text.into(), retry_after: None }
    }

    fn request(number: u32, text: impl Into<String>) -> Refusal {
        Refusal::new(400, "invalid_request", number, text)
    }

    fn grant(number: u32, text: impl Into<String>) -> Refusal {
        Refusal::new(400, "invalid_grant", number, text)
    }

    fn client(number: u32, text: impl Into<String>) -> Refusal {
        Refusal::new(401, "invalid_client", number, text)
    }

    /// Number and text, as `error_description` begins.
    pub fn description(&self) -> String {
        format!("AADSTS{}: {}", self.number, self.text)
    }

    // what is wrong with the request

    pub fn missing(name: &str) -> Refusal {
        Refusal::request(900_144, format!("The request body must contain the following parameter: '{name}'."))
    }

    pub fn too_large() -> Refusal {
        Refusal::request(900_144, "The request body is larger than 64 KiB.")
    }

    pub fn unknown_tenant(tenant: &str) -> Refusal {
        Refusal::request(90_002, format!("Tenant '{tenant}' not found. Check that you have the correct tenant ID."))
    }

    pub fn unsupported_grant(grant: &str) -> Refusal {
        Refusal::new(
            400,
            "unsupported_grant_type",
            70_003,
            format!("The app requested an unsupported grant type '{grant}'."),
        )
    }

    pub fn unsupported_response_type(response_type: &str) -> Refusal {
        Refusal::new(
            400,
            "unsupported_response_type",
            700_054,
            format!("response_type '{response_type}' is not enabled; applications sign people in with 'code'."),
        )
    }

    pub fn unsupported_response_mode(mode: &str) -> Refusal {
        Refusal::request(
            90_013,
            format!("The response_mode '{mode}' is not one of 'query', 'fragment' and 'form_post'."),
        )
    }

    pub fn default_scope_needed(scope: &str) -> Refusal {
        Refusal::new(
            400,
            "invalid_scope",
            1_002_012,
            format!("The provided value for scope {scope} is not valid. It must end in '/.default'."),
        )
    }

    pub fn scope(scope: &str) -> Refusal {
        Refusal::new(
            400,
            "invalid_scope",
            70_011,
            format!("The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."),
        )
    }

    pub fn two_resources(scope: &str) -> Refusal {
        Refusal::new(
            400,
            "invalid_scope",
            28_000,
            format!(
                "Provided value for the input parameter scope is not valid because it contains more than one resource. \
                 Scope {scope} is not valid."
            ),
        )
    }

    pub fn unknown_resource(resource: &str) -> Refusal {
        Refusal::new(
            400,
            "invalid_resource",
            500_011,
            format!("The resource principal named {resource} was not found in the tenant."),
        )
    }

    pub fn unknown_instance() -> Refusal {
        Refusal::new(400, "invalid_instance", 50_049, "Unknown or invalid instance.")
    }

    // what is wrong with the application

    pub fn unknown_client(client_id: &str, tenant: &str) -> Refusal {
        Refusal::new(
            400,
            "unauthorized_client",
            700_016,
            format!("Application with identifier '{client_id}' was not found in the directory '{tenant}'."),
        )
    }

    pub fn wrong_secret(client_id: &str) -> Refusal {
        Refusal::client(
            7_000_215,
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret \
                 value, not the client secret ID, for a secret added to app '{client_id}'."
            ),
        )
    }

    pub fn expired_secret(client_id: &str) -> Refusal {
        Refusal::client(7_000_222, format!("The provided client secret keys for app '{client_id}' are expired."))
    }

    pub fn no_credential() -> Refusal {
        Refusal::client(
            7_000_218,
            "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
        )
    }

    pub fn public_client(client_id: &str) -> Refusal {
        Refusal::client(
            700_025,
            format!(
                "Client '{client_id}' is public so neither 'client_assertion' nor 'client_secret' should be presented."
            ),
        )
    }

    pub fn not_public(client_id: &str) -> Refusal {
        Refusal::client(
            7_000_218,
            format!(
                "The request body must contain the following parameter: 'client_assertion' or 'client_secret'. App \
                 '{client_id}' is not registered as a public client."
            ),
        )
    }

    pub fn assertion_type() -> Refusal {
        Refusal::request(
            90_014,
            "The 'client_assertion_type' has to be 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'.",
        )
    }

    pub fn assertion(error: &AssertionError) -> Refusal {
        let number = match error {
            AssertionError::Format(_) | AssertionError::Algorithm(_) | AssertionError::Identity => 50_027,
            AssertionError::Unnamed => 700_022,
            AssertionError::Signature(_) => 700_027,
            AssertionError::Certificate(_) => 50_012,
            AssertionError::Audience(_) => 700_023,
            AssertionError::Client { .. } => 700_021,
            AssertionError::Time { .. } => 700_024,
            AssertionError::Replayed => 50_013,
        };
        Refusal::client(number, format!("The client assertion is not taken: {error}."))
    }

    pub fn unknown_certificate(client_id: &str, thumbprint: &str) -> Refusal {
        Refusal::client(
            700_027,
            format!(
                "The certificate with identifier used to sign the client assertion is not registered on application \
                 '{client_id}'. [Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}']"
            ),
        )
    }

    pub fn broken_certificate(thumbprint: &str, problem: &CertificateProblem) -> Refusal {
        Refusal::client(50_012, format!("The registered certificate {thumbprint} cannot be used: {problem}."))
    }

    pub fn too_many(seconds: u64) -> Refusal {
        let text = "Too many failed requests for this application; try again later.";
        let refusal = Refusal::new(429, "temporarily_unavailable", 50_196, text);
        Refusal { retry_after: Some(seconds.max(1)), ..refusal }
    }

    // what is wrong with the sign-in of a person

    pub fn redirect(redirect_uri: &str, client_id: &str) -> Refusal {
        Refusal::request(
            50_011,
            format!(
                "The redirect URI '{redirect_uri}' specified in the request does not match the redirect URIs \
                 configured for the application '{client_id}'."
            ),
        )
    }

    pub fn challenge_needed() -> Refusal {
        Refusal::request(
            9_002_325,
            "Proof Key for Code Exchange is required: the request needs 'code_challenge' with the method 'S256'.",
        )
    }

    pub fn challenge_method() -> Refusal {
        Refusal::request(
            50_147,
            "Invalid code_challenge or code_challenge_method: S256 with the base64url of a SHA-256 is taken.",
        )
    }

    pub fn verifier() -> Refusal {
        Refusal::grant(
            501_481,
            "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
        )
    }

    pub fn code() -> Refusal {
        Refusal::grant(
            70_000,
            "The provided value for the input parameter 'code' is not valid, or was issued for another client or \
             redirect URI.",
        )
    }

    pub fn code_expired() -> Refusal {
        Refusal::grant(70_008, "The provided authorization code is expired. Send the person to sign in again.")
    }

    pub fn code_used() -> Refusal {
        Refusal::grant(54_005, "OAuth2 Authorization code was already redeemed; what was issued for it is revoked.")
    }

    pub fn refresh_token() -> Refusal {
        Refusal::grant(70_000, "The provided refresh token is not valid, or was issued to another client.")
    }

    pub fn refresh_token_ended() -> Refusal {
        Refusal::grant(700_082, "The refresh token has expired or was revoked. The person has to sign in again.")
    }

    pub fn refresh_token_used() -> Refusal {
        Refusal::grant(
            50_173,
            "The refresh token was used before: one of two holders is not the one it was given to, so all that came \
             from that sign-in are revoked. The person has to sign in again.",
        )
    }

    pub fn user_disabled() -> Refusal {
        Refusal::grant(50_057, "The user account is disabled.")
    }

    pub fn sign_in_needed() -> Refusal {
        Refusal::new(400, "login_required", 50_058, "A silent sign-in request was sent but no user is signed in.")
    }

    pub fn denied() -> Refusal {
        Refusal::new(400, "access_denied", 65_004, "The person declined.")
    }

    // device codes

    pub fn device_pending() -> Refusal {
        Refusal::new(
            400,
            "authorization_pending",
            70_016,
            "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
        )
    }

    pub fn device_slow_down() -> Refusal {
        Refusal::new(
            400,
            "slow_down",
            1_000_060,
            "The device code is asked about more often than the interval says; wait five seconds longer.",
        )
    }

    pub fn device_declined() -> Refusal {
        Refusal::new(400, "authorization_declined", 65_004, "The person declined.")
    }

    pub fn device_expired() -> Refusal {
        Refusal::new(
            400,
            "expired_token",
            70_020,
            "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
        )
    }

    pub fn device_code() -> Refusal {
        Refusal::new(
            400,
            "bad_verification_code",
            70_018,
            "The provided value for the input parameter 'device_code' is not valid, or was issued to another client.",
        )
    }

    pub fn server() -> Refusal {
        Refusal::new(500, "server_error", 90_033, "The server failed to answer; its log says why.")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_begins_with_the_number() {
        assert!(Refusal::missing("scope").description().starts_with("AADSTS900144: The request body must contain"));
        assert_eq!(Refusal::too_many(0).retry_after, Some(1));
        let time = AssertionError::Time { now: 3, from: 1, until: 2 };
        assert_eq!(Refusal::assertion(&time).number, 700_024);
    }
}
