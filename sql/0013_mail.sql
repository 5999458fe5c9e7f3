-- 0013_mail.sql: mails that wait until they are sent, the one-time links that mails carry, and which addresses are known
-- to be their owners'. Ours. Each statement may run again after a failure halfway.

-- NULL: nobody has shown yet that mail to this address reaches its owner.
ALTER TABLE `user` ADD COLUMN IF NOT EXISTS `email_verified_at` BIGINT NULL DEFAULT NULL;

-- One row is one mail. It holds no secret: the one of a link is made when the mail is sent.
-- user_id: whom it is about; NULL: an address that somebody typed, of which it is not known yet whether there is an
-- account.
-- address: where it goes; NULL: to the address that the account has when it is sent.
-- data: what its text tells besides, a JSON object of texts.
-- next_at: when it is tried (again); NULL: it was given up, and `error' says why.
CREATE TABLE IF NOT EXISTS `mail` (
    `id` BIGINT NOT NULL AUTO_INCREMENT,
    `kind` VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `address` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `data` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `created_at` BIGINT NOT NULL,
    `next_at` BIGINT NULL DEFAULT NULL,
    `attempts` INT NOT NULL DEFAULT 0,
    `error` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    PRIMARY KEY (`id`),
    KEY `mail_by_next_at` (`next_at`),
    KEY `mail_by_user` (`user_id`),
    CONSTRAINT `mail_of_user` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- A user has one link of each purpose at most. hash: the SHA-256 of its secret, which is nowhere else but in the mail.
-- email: where it was sent to.
CREATE TABLE IF NOT EXISTS `one_time_link` (
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `purpose` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `hash` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `email` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `expires_at` BIGINT NOT NULL,
    PRIMARY KEY (`user_id`, `purpose`),
    UNIQUE KEY `one_time_link_hash` (`hash`),
    KEY `one_time_link_by_expires_at` (`expires_at`),
    CONSTRAINT `one_time_link_of_user` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
