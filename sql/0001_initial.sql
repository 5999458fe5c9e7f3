-- 0001_initial.sql: the tables.
--
-- Names and columns are those of the service that this one replaces, so that rows can be moved over one by one with those columns
-- alone; every column of our own (marked) has a default. Nothing is left to the server's defaults, which differ between
-- releases: engine, row format, character sets and collations stand with each table and column.
--
-- Collations:
--   utf8mb4_nopad_bin              ids, tokens, keys, hashes, words such as roles: equal means the same bytes, a space at the end
--                                  counts. Not ascii: comparing such a column with a text that is not ASCII is an error
--                                  (1267) instead of 'no row'.
--   utf8mb4_uca1400_nopad_ai_ci    names: searched and ordered without regard to case and accents.
--   utf8mb4_uca1400_nopad_as_ci    email addresses: unique without regard to case, and to shapes of the same letter (full width,
--                                  ligatures); accents count. So who looks somebody up by email compares what was found.
--
-- Stored JSON is valid, as far as the server can tell: its check gives up on documents that nest deeper than 31, so such a
-- document, which clients may send, passes when it has that many brackets and looks like an object.
--
-- Times are seconds since 1970-01-01 UTC. Each statement may run again after a failure halfway.

CREATE TABLE IF NOT EXISTS `user` (
    `id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `email` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_as_ci NOT NULL,
    `username` VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci NULL DEFAULT NULL,
    `role` VARCHAR(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT 'pending',
    `name` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci NOT NULL,
    `profile_image_url` MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT '/user.png',
    `profile_banner_image_url` MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `bio` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci NULL DEFAULT NULL,
    `gender` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci NULL DEFAULT NULL,
    `date_of_birth` DATE NULL DEFAULT NULL,
    `timezone` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `presence_state` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `status_emoji` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `status_message` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci NULL DEFAULT NULL,
    `status_expires_at` BIGINT NULL DEFAULT NULL,
    `info` JSON NULL DEFAULT NULL CHECK (json_valid(`info`) OR (`info` LIKE '{%}' AND
        char_length(`info`) - char_length(replace(replace(`info`, '{', ''), '[', '')) > 31)),
    `settings` JSON NULL DEFAULT NULL CHECK (json_valid(`settings`) OR (`settings` LIKE '{%}' AND
        char_length(`settings`) - char_length(replace(replace(`settings`, '{', ''), '[', '')) > 31)),
    `oauth` JSON NULL DEFAULT NULL CHECK (json_valid(`oauth`) OR (`oauth` LIKE '{%}' AND
        char_length(`oauth`) - char_length(replace(replace(`oauth`, '{', ''), '[', '')) > 31)),
    `last_active_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    `updated_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    `created_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    -- Ours. A token without a session of its own is over when its `iat` is not later than this.
    `sessions_ended_at` BIGINT NULL DEFAULT NULL,
    -- Ours: the email address for searches and orders, where accents do not count.
    `email_order` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci GENERATED ALWAYS AS (`email`) STORED,
    PRIMARY KEY (`id`),
    UNIQUE KEY `user_email` (`email`),
    -- The orders of lists, each with the id as last key; they also give the page's ids without the rows.
    KEY `user_by_name` (`name`, `id`),
    KEY `user_by_email` (`email_order`, `id`),
    KEY `user_by_role` (`role`, `id`),
    KEY `user_by_created_at` (`created_at`, `id`),
    KEY `user_by_last_active_at` (`last_active_at`, `id`),
    KEY `user_by_updated_at` (`updated_at`, `id`),
    -- Whether anybody still refers to a picture; /pictures/HASH.EXT is shorter than this.
    KEY `user_by_picture` (`profile_image_url`(96))
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS `auth` (
    `id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `email` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_as_ci NOT NULL,
    `password` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `active` TINYINT(1) NOT NULL DEFAULT 1,
    PRIMARY KEY (`id`),
    UNIQUE KEY `auth_email` (`email`),
    CONSTRAINT `auth_of_user` FOREIGN KEY (`id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- The owner of a group is who made it; the group outlives them, so there is no foreign key.
CREATE TABLE IF NOT EXISTS `group` (
    `id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `name` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci NOT NULL,
    `description` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci NOT NULL DEFAULT '',
    `data` JSON NULL DEFAULT NULL CHECK (json_valid(`data`) OR (`data` LIKE '{%}' AND
        char_length(`data`) - char_length(replace(replace(`data`, '{', ''), '[', '')) > 31)),
    `meta` JSON NULL DEFAULT NULL CHECK (json_valid(`meta`) OR (`meta` LIKE '{%}' AND
        char_length(`meta`) - char_length(replace(replace(`meta`, '{', ''), '[', '')) > 31)),
    `permissions` JSON NULL DEFAULT NULL CHECK (json_valid(`permissions`) OR (`permissions` LIKE '{%}' AND
        char_length(`permissions`) - char_length(replace(replace(`permissions`, '{', ''), '[', '')) > 31)),
    `created_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    `updated_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    PRIMARY KEY (`id`),
    KEY `group_by_name` (`name`, `id`),
    KEY `group_by_updated_at` (`updated_at`, `id`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS `group_member` (
    `id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `group_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `created_at` BIGINT NULL DEFAULT NULL,
    `updated_at` BIGINT NULL DEFAULT NULL,
    -- Ours: 'manual', or 'header' where a trusted header brought the membership.
    `source` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT 'manual',
    PRIMARY KEY (`id`),
    UNIQUE KEY `group_member_once` (`group_id`, `user_id`),
    KEY `group_member_by_user` (`user_id`, `group_id`),
    CONSTRAINT `group_member_of_group` FOREIGN KEY (`group_id`) REFERENCES `group` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT,
    CONSTRAINT `group_member_of_user` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS `api_key` (
    `id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `key` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `data` JSON NULL DEFAULT NULL CHECK (json_valid(`data`) OR (`data` LIKE '{%}' AND
        char_length(`data`) - char_length(replace(replace(`data`, '{', ''), '[', '')) > 31)),
    `expires_at` BIGINT NULL DEFAULT NULL,
    `last_used_at` BIGINT NULL DEFAULT NULL,
    `created_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    `updated_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    -- Ours. is_primary: the one key that a user has at /auths/api_key; those with a name are 0. suffix: the key's last four
    -- characters, to show. routes: a list of paths, NULL for all.
    `is_primary` TINYINT(1) NOT NULL DEFAULT 1,
    `name` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci NULL DEFAULT NULL,
    `suffix` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL DEFAULT '',
    `routes` JSON NULL DEFAULT NULL,
    PRIMARY KEY (`id`),
    UNIQUE KEY `api_key_key` (`key`),
    KEY `api_key_by_user` (`user_id`, `is_primary`, `created_at`),
    CONSTRAINT `api_key_of_user` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS `oauth_session` (
    `id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `provider` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `token` MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `expires_at` BIGINT NOT NULL,
    `created_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    `updated_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    PRIMARY KEY (`id`),
    KEY `oauth_session_by_user` (`user_id`, `created_at`),
    CONSTRAINT `oauth_session_of_user` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS `chat` (
    `id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `title` TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci NOT NULL DEFAULT '',
    `chat` JSON NULL DEFAULT NULL CHECK (json_valid(`chat`) OR (`chat` LIKE '{%}' AND
        char_length(`chat`) - char_length(replace(replace(`chat`, '{', ''), '[', '')) > 31)),
    `created_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    `updated_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    `share_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `archived` TINYINT(1) NULL DEFAULT 0,
    `pinned` TINYINT(1) NULL DEFAULT 0,
    `meta` JSON NULL DEFAULT '{}' CHECK (json_valid(`meta`) OR (`meta` LIKE '{%}' AND
        char_length(`meta`) - char_length(replace(replace(`meta`, '{', ''), '[', '')) > 31)),
    `folder_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    -- Ours. The copy that is made when a chat is shared has 'shared-' and the chat's id as user_id: nobody's id, hence no owner.
    `owner_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin
        GENERATED ALWAYS AS (CASE WHEN `user_id` LIKE 'shared-%' THEN NULL ELSE `user_id` END) STORED,
    PRIMARY KEY (`id`),
    UNIQUE KEY `chat_share_id` (`share_id`),
    KEY `chat_by_user` (`user_id`, `updated_at`),
    KEY `chat_by_owner` (`owner_id`),
    CONSTRAINT `chat_of_user` FOREIGN KEY (`owner_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- The settings that administrators change at run time: the newest row counts.
CREATE TABLE IF NOT EXISTS `config` (
    `id` BIGINT NOT NULL AUTO_INCREMENT,
    `data` JSON NOT NULL CHECK (json_valid(`data`) OR (`data` LIKE '{%}' AND
        char_length(`data`) - char_length(replace(replace(`data`, '{', ''), '[', '')) > 31)),
    `version` INT NOT NULL DEFAULT 0,
    `created_at` DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    `updated_at` DATETIME NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP,
    PRIMARY KEY (`id`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- Ours: the sessions that were signed in here, and revocations of tokens that were not.
CREATE TABLE IF NOT EXISTS `session` (
    `jti` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `created_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    `last_seen_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    `expires_at` BIGINT NULL DEFAULT NULL,
    `address` VARCHAR(45) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NULL DEFAULT NULL,
    `user_agent` VARCHAR(512) CHARACTER SET utf8mb4 COLLATE utf8mb4_uca1400_nopad_ai_ci NULL DEFAULT NULL,
    `revoked_at` BIGINT NULL DEFAULT NULL,
    PRIMARY KEY (`jti`),
    KEY `session_by_user` (`user_id`, `created_at`),
    KEY `session_by_expires_at` (`expires_at`),
    CONSTRAINT `session_of_user` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;

-- Ours: pictures, each once, under the SHA-256 of its bytes in hexadecimal.
CREATE TABLE IF NOT EXISTS `picture` (
    `hash` CHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `type` VARCHAR(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `width` INT UNSIGNED NOT NULL,
    `height` INT UNSIGNED NOT NULL,
    `size` INT UNSIGNED NOT NULL,
    `bytes` MEDIUMBLOB NOT NULL,
    `created_at` BIGINT NOT NULL DEFAULT (UNIX_TIMESTAMP()),
    PRIMARY KEY (`hash`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
