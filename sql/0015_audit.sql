-- 0015_audit.sql: who did what to whom. Ours. src/store/audit_store.h tells how the rows are chained, and what each column
-- is there for. Rows are inserted by whoever changes something; the housekeeper of a host gives them number and hash,
-- empties `address', `personal' and `salt' of people who are erased, and removes what is too old.

CREATE TABLE IF NOT EXISTS `audit` (
    `id` BIGINT NOT NULL AUTO_INCREMENT,
    `host` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `at` BIGINT NOT NULL,
    `action` VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `actor_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `system_user` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `subject_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `object` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `through` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `session_jti` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `key_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `request_id` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `detail` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `address` VARCHAR(45) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `personal` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `salt` VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `personal_mac` CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `mac_key` CHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `mac` CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `number` BIGINT NULL DEFAULT NULL,
    `hash` CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    PRIMARY KEY (`id`),
    UNIQUE KEY `audit_chain` (`host`, `number`),
    KEY `audit_by_time` (`at`),
    KEY `audit_by_actor` (`actor_id`),
    KEY `audit_by_subject` (`subject_id`),
    KEY `audit_by_action` (`action`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- Both ends of the chain of each host: the last row that has a number, and the last one that was removed.
CREATE TABLE IF NOT EXISTS `audit_head` (
    `host` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `number` BIGINT NOT NULL DEFAULT 0,
    `hash` CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `base_number` BIGINT NOT NULL DEFAULT 0,
    `base_hash` CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `mac_key` CHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `mac` CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    PRIMARY KEY (`host`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
