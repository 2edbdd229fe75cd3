//! What people grant to applications: authorization codes, device codes and refresh tokens. The client holds a secret;
//! the store holds its SHA-256 digest. What becomes of one sign-in is a family and is revoked together.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use sqlx::Row;
use uuid::Uuid;

use crate::{State, StateError, now, random_token};

/// More device codes than this do not wait at a time.
const MOST_DEVICE_CODES: i64 = 10_000;

/// A grant of a person to an application. `request` is the caller's own text about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub family: String,
    pub user_id: String,
    pub client_id: String,
    pub request: String,
    /// Of the user's tokens when the person signed in.
    pub generation: i64,
}

/// What became of a code or token that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redeemed {
    Good(Grant),
    Unknown,
    Expired,
    /// It was used before; its family is revoked now.
    Used,
}

/// A device code as its application asks about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceAnswer {
    Granted(Grant),
    Pending,
    /// It was asked about too soon.
    TooSoon,
    Declined,
    Expired,
    Unknown,
}

/// A device code as the person sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRequest {
    pub client_id: String,
    pub request: String,
}

impl State {
    /// True the first time that an identity is seen; `until` is when it can be forgotten.
    pub async fn use_assertion(&self, client_id: &str, identity: &str, until: i64) -> Result<bool, StateError> {
        sqlx::query("DELETE FROM used_assertions WHERE expires_at < $1").bind(now()).execute(&self.writer).await?;
        let done = sqlx::query(
            "INSERT INTO used_assertions (client_id, identity, expires_at) VALUES ($1, $2, $3) \
             ON CONFLICT (client_id, identity) DO NOTHING",
        )
        .bind(client_id)
        .bind(identity)
        .bind(until)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Makes an authorization code for `seconds`. `request` is given back when it is redeemed.
    pub async fn create_code(
        &self,
        user_id: &str,
        client_id: &str,
        request: &str,
        seconds: i64,
    ) -> Result<String, StateError> {
        let code = random_token();
        // used ones are kept for a while: what came of them is revoked when they come again
        sqlx::query("DELETE FROM authorization_codes WHERE expires_at < $1")
            .bind(now() - 24 * 3600)
            .execute(&self.writer)
            .await?;
        sqlx::query(
            "INSERT INTO authorization_codes (digest, family, user_id, client_id, request, expires_at, used_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 0)",
        )
        .bind(token_digest(&code))
        .bind(Uuid::new_v4().to_string())
        .bind(user_id)
        .bind(client_id)
        .bind(request)
        .bind(now() + seconds)
        .execute(&self.writer)
        .await?;
        Ok(code)
    }

    /// Redeems an authorization code, which works once. A second time revokes what came of the first.
    pub async fn redeem_code(&self, code: &str) -> Result<Redeemed, StateError> {
        let digest = token_digest(code);
        let row = sqlx::query(
            "SELECT c.family, c.user_id, c.client_id, c.request, u.token_generation, c.expires_at \
             FROM authorization_codes c JOIN users u ON u.id = c.user_id WHERE c.digest = $1",
        )
        .bind(&digest)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(Redeemed::Unknown) };
        let grant = read_grant(&row)?;
        let done = sqlx::query("UPDATE authorization_codes SET used_at = $1 WHERE digest = $2 AND used_at = 0")
            .bind(now())
            .bind(&digest)
            .execute(&self.writer)
            .await?;
        if done.rows_affected() == 0 {
            self.revoke_family(&grant.family).await?;
            return Ok(Redeemed::Used);
        }
        Ok(if row.try_get::<i64, _>(5)? <= now() { Redeemed::Expired } else { Redeemed::Good(grant) })
    }

    /// Makes a refresh token of a grant for `seconds`.
    pub async fn create_refresh_token(&self, grant: &Grant, seconds: i64) -> Result<String, StateError> {
        let token = random_token();
        sqlx::query("DELETE FROM refresh_tokens WHERE expires_at < $1").bind(now()).execute(&self.writer).await?;
        sqlx::query(
            "INSERT INTO refresh_tokens \
             (digest, family, user_id, client_id, request, generation, created_at, expires_at, used_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)",
        )
        .bind(token_digest(&token))
        .bind(&grant.family)
        .bind(&grant.user_id)
        .bind(&grant.client_id)
        .bind(&grant.request)
        .bind(grant.generation)
        .bind(now())
        .bind(now() + seconds)
        .execute(&self.writer)
        .await?;
        Ok(token)
    }

    /// What a refresh token stands for, without using it.
    pub async fn refresh_token(&self, token: &str) -> Result<Option<Grant>, StateError> {
        let row =
            sqlx::query("SELECT family, user_id, client_id, request, generation FROM refresh_tokens WHERE digest = $1")
                .bind(token_digest(token))
                .fetch_optional(&self.pool)
                .await?;
        row.as_ref().map(read_grant).transpose()
    }

    /// Redeems a refresh token for its successor. One that was redeemed longer than `again_seconds` ago is in two hands:
    /// its family is revoked. Within that time it works again, for a client that lost the answer or asks twice at once.
    pub async fn redeem_refresh_token(&self, token: &str, again_seconds: i64) -> Result<Redeemed, StateError> {
        let digest = token_digest(token);
        let row = sqlx::query(
            "SELECT family, user_id, client_id, request, generation, expires_at FROM refresh_tokens WHERE digest = $1",
        )
        .bind(&digest)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(Redeemed::Unknown) };
        let grant = read_grant(&row)?;
        if row.try_get::<i64, _>(5)? <= now() {
            return Ok(Redeemed::Expired);
        }
        let done = sqlx::query(
            "UPDATE refresh_tokens SET used_at = CASE WHEN used_at = 0 THEN $1 ELSE used_at END \
             WHERE digest = $2 AND (used_at = 0 OR used_at > $3)",
        )
        .bind(now())
        .bind(&digest)
        .bind(now() - again_seconds)
        .execute(&self.writer)
        .await?;
        if done.rows_affected() == 0 {
            self.revoke_family(&grant.family).await?;
            return Ok(Redeemed::Used);
        }
        Ok(Redeemed::Good(grant))
    }

    /// Ends all refresh tokens of a sign-in.
    pub async fn revoke_family(&self, family: &str) -> Result<(), StateError> {
        sqlx::query("DELETE FROM refresh_tokens WHERE family = $1").bind(family).execute(&self.writer).await?;
        Ok(())
    }

    /// Begins a sign-in on another device: gives the device code; `user_code` is what the person types. None where too
    /// many wait already.
    pub async fn create_device_code(
        &self,
        client_id: &str,
        user_code: &str,
        request: &str,
        seconds: i64,
    ) -> Result<Option<String>, StateError> {
        let code = random_token();
        sqlx::query("DELETE FROM device_codes WHERE expires_at < $1").bind(now() - 3600).execute(&self.writer).await?;
        let waiting: i64 = sqlx::query("SELECT COUNT(*) FROM device_codes").fetch_one(&self.pool).await?.try_get(0)?;
        if waiting >= MOST_DEVICE_CODES {
            return Ok(None);
        }
        sqlx::query(
            "INSERT INTO device_codes \
             (digest, user_code, client_id, request, expires_at, asked_at, status, user_id, generation) \
             VALUES ($1, $2, $3, $4, $5, 0, 'pending', '', 0)",
        )
        .bind(token_digest(&code))
        .bind(user_code)
        .bind(client_id)
        .bind(request)
        .bind(now() + seconds)
        .execute(&self.writer)
        .await?;
        Ok(Some(code))
    }

    /// What waits for the person with a code.
    pub async fn device_request(&self, user_code: &str) -> Result<Option<DeviceRequest>, StateError> {
        let row = sqlx::query(
            "SELECT client_id, request FROM device_codes \
             WHERE user_code = $1 AND status = 'pending' AND expires_at > $2",
        )
        .bind(user_code)
        .bind(now())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok(DeviceRequest { client_id: row.try_get(0)?, request: row.try_get(1)? })).transpose()
    }

    /// The person's answer; false where nothing waits for it any more.
    pub async fn answer_device(
        &self,
        user_code: &str,
        user_id: &str,
        generation: i64,
        granted: bool,
    ) -> Result<bool, StateError> {
        let done = sqlx::query(
            "UPDATE device_codes SET status = $1, user_id = $2, generation = $3 \
             WHERE user_code = $4 AND status = 'pending' AND expires_at > $5",
        )
        .bind(if granted { "granted" } else { "declined" })
        .bind(user_id)
        .bind(generation)
        .bind(user_code)
        .bind(now())
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The application asks what became of its device code; at most every `interval` seconds. A granted one is given
    /// out once.
    pub async fn ask_device(&self, code: &str, client_id: &str, interval: i64) -> Result<DeviceAnswer, StateError> {
        let digest = token_digest(code);
        let row = sqlx::query(
            "SELECT '', user_id, client_id, request, generation, expires_at, asked_at, status FROM device_codes \
             WHERE digest = $1 AND client_id = $2",
        )
        .bind(&digest)
        .bind(client_id)
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(DeviceAnswer::Unknown) };
        let status: String = row.try_get(7)?;
        if row.try_get::<i64, _>(5)? <= now() {
            return Ok(DeviceAnswer::Expired);
        }
        match status.as_str() {
            "declined" => Ok(DeviceAnswer::Declined),
            "granted" => {
                let done = sqlx::query("DELETE FROM device_codes WHERE digest = $1 AND status = 'granted'")
                    .bind(&digest)
                    .execute(&self.writer)
                    .await?;
                let grant = Grant { family: Uuid::new_v4().to_string(), ..read_grant(&row)? };
                Ok(if done.rows_affected() == 1 { DeviceAnswer::Granted(grant) } else { DeviceAnswer::Unknown })
            }
            _ => {
                let too_soon = row.try_get::<i64, _>(6)? > now() - interval;
                sqlx::query("UPDATE device_codes SET asked_at = $1 WHERE digest = $2")
                    .bind(now())
                    .bind(&digest)
                    .execute(&self.writer)
                    .await?;
                Ok(if too_soon { DeviceAnswer::TooSoon } else { DeviceAnswer::Pending })
            }
        }
    }
}

/// The first five columns.
fn read_grant(row: &sqlx::any::AnyRow) -> Result<Grant, StateError> {
    Ok(Grant {
        family: row.try_get(0)?,
        user_id: row.try_get(1)?,
        client_id: row.try_get(2)?,
        request: row.try_get(3)?,
        generation: row.try_get(4)?,
    })
}

fn token_digest(token: &str) -> String {
    STANDARD.encode(digest(&SHA256, token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stores;

    #[tokio::test]
    async fn a_code_works_once_and_a_second_time_revokes_what_came_of_it() {
        stores::each(|place| async move {
            let state = place.open().await;
            let user = state.create_user("ada", "x").await.unwrap();
            assert!(state.use_assertion("app", "one", now() + 60).await.unwrap());
            assert!(!state.use_assertion("app", "one", now() + 60).await.unwrap());
            assert!(state.use_assertion("other", "one", now() + 60).await.unwrap());

            let code = state.create_code(&user.id, "app", "{}", 60).await.unwrap();
            let Redeemed::Good(grant) = state.redeem_code(&code).await.unwrap() else { panic!("it is good") };
            assert_eq!((grant.user_id.as_str(), grant.client_id.as_str()), (user.id.as_str(), "app"));
            let token = state.create_refresh_token(&grant, 60).await.unwrap();
            assert_eq!(state.refresh_token(&token).await.unwrap(), Some(grant));
            assert_eq!(state.redeem_code(&code).await.unwrap(), Redeemed::Used);
            assert_eq!(state.redeem_refresh_token(&token, 0).await.unwrap(), Redeemed::Unknown);
            let late = state.create_code(&user.id, "app", "{}", 0).await.unwrap();
            assert_eq!(state.redeem_code(&late).await.unwrap(), Redeemed::Expired);
            assert_eq!(state.redeem_code("x").await.unwrap(), Redeemed::Unknown);
        })
        .await;
    }

    #[tokio::test]
    async fn a_refresh_token_in_two_hands_ends_its_family() {
        stores::each(|place| async move {
            let state = place.open().await;
            let user = state.create_user("ada", "x").await.unwrap();
            let grant = Grant {
                family: "f".into(),
                user_id: user.id,
                client_id: "app".into(),
                request: "{}".into(),
                generation: 0,
            };
            let first = state.create_refresh_token(&grant, 60).await.unwrap();
            assert_eq!(state.redeem_refresh_token(&first, 0).await.unwrap(), Redeemed::Good(grant.clone()));
            let second = state.create_refresh_token(&grant, 60).await.unwrap();
            assert_eq!(state.redeem_refresh_token(&first, 30).await.unwrap(), Redeemed::Good(grant.clone()));
            assert_eq!(state.redeem_refresh_token(&first, 0).await.unwrap(), Redeemed::Used);
            assert_eq!(state.redeem_refresh_token(&second, 0).await.unwrap(), Redeemed::Unknown);
            let expired = state.create_refresh_token(&grant, 0).await.unwrap();
            assert_eq!(state.redeem_refresh_token(&expired, 0).await.unwrap(), Redeemed::Expired);
        })
        .await;
    }

    #[tokio::test]
    async fn a_device_waits_for_a_person_and_is_told_once() {
        stores::each(|place| async move {
            let state = place.open().await;
            let code = state.create_device_code("app", "ABCD", "{}", 60).await.unwrap().unwrap();
            assert_eq!(state.ask_device(&code, "app", 5).await.unwrap(), DeviceAnswer::Pending);
            assert_eq!(state.ask_device(&code, "app", 5).await.unwrap(), DeviceAnswer::TooSoon);
            assert_eq!(state.ask_device(&code, "other", 5).await.unwrap(), DeviceAnswer::Unknown);
            assert_eq!(state.device_request("ABCD").await.unwrap().unwrap().client_id, "app");
            assert!(state.answer_device("ABCD", "user", 3, true).await.unwrap());
            assert!(!state.answer_device("ABCD", "user", 3, false).await.unwrap());
            assert_eq!(state.device_request("ABCD").await.unwrap(), None);
            let DeviceAnswer::Granted(grant) = state.ask_device(&code, "app", 5).await.unwrap() else {
                panic!("it is granted")
            };
            assert_eq!((grant.user_id.as_str(), grant.generation), ("user", 3));
            assert_eq!(state.ask_device(&code, "app", 5).await.unwrap(), DeviceAnswer::Unknown);
            let declined = state.create_device_code("app", "EFGH", "{}", 60).await.unwrap().unwrap();
            assert!(state.answer_device("EFGH", "user", 3, false).await.unwrap());
            assert_eq!(state.ask_device(&declined, "app", 5).await.unwrap(), DeviceAnswer::Declined);
            let late = state.create_device_code("app", "IJKL", "{}", 0).await.unwrap().unwrap();
            assert_eq!(state.ask_device(&late, "app", 5).await.unwrap(), DeviceAnswer::Expired);
        })
        .await;
    }
}
