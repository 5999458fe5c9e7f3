-- 0005_known_network.sql: from which networks each account was signed in to of late. Each statement may run again after a failure halfway.

-- network: an IPv4 address, or an IPv6 /64 as 2001:db8:1:2::/64. Rows older than thirty days are removed.
CREATE TABLE IF NOT EXISTS `known_network` (
    `user_id` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `network` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
    `last_at` BIGINT NOT NULL,
    PRIMARY KEY (`user_id`, `network`),
    KEY `known_network_by_last_at` (`last_at`),
    CONSTRAINT `known_network_of_user` FOREIGN KEY (`user_id`) REFERENCES `user` (`id`) ON DELETE CASCADE ON UPDATE RESTRICT
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
