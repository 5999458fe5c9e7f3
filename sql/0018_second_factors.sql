-- 0018_second_factors.sql: second factors (TOTP), the codes for an emergency, and sign-ins that wait for a code. Ours. Each statement may run
-- again after a failure halfway.

-- factor_state: 0 there is none, 1 there is one, 2 it was reset: a new one needs a reset token. factor_required: 1 the person wants to be asked
-- for it, 2 an administrator has said so, 3 both.
ALTER TABLE `auth`
    ADD COLUMN IF NOT EXISTS `factor_state` TINYINT NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS `factor_required` TINYINT NOT NULL DEFAULT 0;

-- How, when and with how many factors the session began. auth_time NULL: when it was created, as before there was this column.
ALTER TABLE `session`
    ADD COLUMN IF NOT EXISTS `auth_method` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    ADD COLUMN IF NOT EXISTS `auth_time` BIGINT NULL DEFAULT NULL,
    ADD COLUMN IF NOT EXISTS `mfa_verified` TINYINT(1) NOT NULL DEFAULT 0;

-- ENABLE_MFA of the settings, so that the statement that finds the caller need not read them. MariaDB's functions can't read a document that
-- is nested more than 32 levels deep, nor one inside a JSON string: there the words are looked for.
ALTER TABLE `config`
    ADD COLUMN IF NOT EXISTS `mfa` TINYINT(1) AS (IF(json_valid(`data`) AND `data` LIKE '{%',
        COALESCE(JSON_EXTRACT(`data`, '$.auth.mfa.enable') = 'true', 0),
        `data` REGEXP '"mfa[\\\\]*"[ ]*:[ ]*[{][^{}]*"enable[\\\\]*"[ ]*:[ ]*true')) PERSISTENT;

-- Who has one, or has tried to. secret: sealed (src/base/secret_box.h); NULL: none, or one that can't be read.
-- last_step: the step of the last code, so that each counts once. tries: of the account, until tries_until.
-- reset_hash: the SHA-256 of a reset token. enrolled_at NULL: not known.
CREATE TABLE IF NOT EXISTS `second_factor` (
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `secret` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `last_step` BIGINT NOT NULL DEFAULT -1,
    `enrolled_at` BIGINT NULL DEFAULT NULL,
    `tries` INT NOT NULL DEFAULT 0,
    `tries_until` BIGINT NOT NULL DEFAULT 0,
    `reset_hash` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `reset_expires_at` BIGINT NULL DEFAULT NULL,
    PRIMARY KEY (`user_id`),
    CONSTRAINT `second_factor_of_user` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- The SHA-256 of each code for an emergency that was not used.
CREATE TABLE IF NOT EXISTS `recovery_code` (
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `hash` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    PRIMARY KEY (`user_id`, `hash`),
    CONSTRAINT `recovery_code_of_user` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- A person has one challenge of each slot: `login', a sign-in whose password was right, and `manage', a change of the factor. A newer one
-- takes the place of the older. hash: the SHA-256 of its token. session_stamp: that of the account when it was made; when it changes,
-- the challenge counts no more. secret: sealed, of the factor that is being enrolled.
CREATE TABLE IF NOT EXISTS `factor_challenge` (
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `slot` VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `kind` VARCHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `hash` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `auth_method` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `auth_time` BIGINT NOT NULL,
    `session_stamp` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `is_known` TINYINT(1) NOT NULL DEFAULT 0,
    `secret` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `tries` INT NOT NULL DEFAULT 0,
    `expires_at` BIGINT NOT NULL,
    PRIMARY KEY (`user_id`, `slot`),
    KEY `factor_challenge_by_expires_at` (`expires_at`),
    CONSTRAINT `factor_challenge_of_user` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
