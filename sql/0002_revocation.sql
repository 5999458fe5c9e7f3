-- 0002_revocation.sql: what Redis has not been told yet.
--
-- Ours. A row is written in the transaction that ends a session, and goes when Redis has acknowledged it: so nothing is lost where Redis
-- is away or takes no writes, or where a worker dies between the two. No foreign key: the rows of a deleted user stay until they are told.
--   jti       a token that is over; NULL: all tokens of the user that were issued up to ended_at
--   expires_at  of the token; NULL: never

CREATE TABLE IF NOT EXISTS `revocation` (
    `id` BIGINT NOT NULL AUTO_INCREMENT,
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `jti` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `expires_at` BIGINT NULL DEFAULT NULL,
    `ended_at` BIGINT NULL DEFAULT NULL,
    PRIMARY KEY (`id`),
    KEY `revocation_by_user` (`user_id`),
    KEY `revocation_by_expires_at` (`expires_at`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
