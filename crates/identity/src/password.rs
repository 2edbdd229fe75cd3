//! What a new password has to be: long, and not the name. Rules about kinds of characters are left out on purpose
//! (NIST SP 800-63B, section 5.1.1.2).

/// Shortest and longest password, in characters.
const LEAST: usize = 12;
const MOST: usize = 256;

/// Why a password is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordProblem {
    #[error("the password has {0} characters; it needs at least 12")]
    Short(usize),
    #[error("the password has {0} characters; it can have at most 256")]
    Long(usize),
    #[error("the password contains the user's name, or hardly anything else than one character")]
    Guessable,
}

/// Checks a password that a user is to have.
pub fn check_new_password(user: &str, password: &str) -> Result<(), PasswordProblem> {
    let length = password.chars().count();
    if length < LEAST {
        return Err(PasswordProblem::Short(length));
    }
    if length > MOST {
        return Err(PasswordProblem::Long(length));
    }
    let lower = password.to_lowercase();
    let rest = lower.replace(&user.to_lowercase(), "");
    let mut letters: Vec<char> = rest.chars().collect();
    letters.sort_unstable();
    letters.dedup();
    // what is left beside the name has to be worth something by itself
    if rest.chars().count() < LEAST.min(length) / 2 || letters.len() < 4 {
        return Err(PasswordProblem::Guessable);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_and_not_the_name() {
        assert_eq!(check_new_password("ada", "correct horse"), Ok(()));
        assert_eq!(check_new_password("ada", "short"), Err(PasswordProblem::Short(5)));
        assert_eq!(check_new_password("ada", &"ab3f".repeat(65)), Err(PasswordProblem::Long(260)));
        assert_eq!(check_new_password("ada", "aaaaaaaaaaaaaaaa"), Err(PasswordProblem::Guessable));
        assert_eq!(check_new_password("lovelace", "lovelace1234"), Err(PasswordProblem::Guessable));
        assert_eq!(check_new_password("a", "a correct horse"), Ok(()));
    }
}
