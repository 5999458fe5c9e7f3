-- 0008_sign_in.sql: passwords that must be changed before anything else, and when and from where each account was signed
-- in to last. Ours.

ALTER TABLE `auth` ADD COLUMN IF NOT EXISTS `must_change` TINYINT(1) NOT NULL DEFAULT 0;

-- NULL: never since these columns are there.
ALTER TABLE `user`
    ADD COLUMN IF NOT EXISTS `last_sign_in_at` BIGINT NULL DEFAULT NULL,
    ADD COLUMN IF NOT EXISTS `last_sign_in_address` VARCHAR(45) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL;
