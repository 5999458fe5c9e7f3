-- 0017_confirm.sql: when somebody gave the password again in a session (POST /auths/confirm).

-- In epoch seconds. NULL: never. Ours.
ALTER TABLE `session`
    ADD COLUMN IF NOT EXISTS `confirmed_at` BIGINT NULL DEFAULT NULL;
