-- 0011_session_key.sql: which key signed the token of a session, so that an administrator sees which keys are still needed.

-- The id that is `kid' in the token. NULL: before there was this column, or signed by another program. Ours.
ALTER TABLE `session`
    ADD COLUMN IF NOT EXISTS `key_id` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL;
