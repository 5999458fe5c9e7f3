-- 0007_member_order.sql: the members of a group in the order in which they joined, so that a large group is read in chunks, one behind the
-- other, and none is sorted. user_id stands in it so that the ids of the members are read without their rows.

ALTER TABLE `group_member` ADD KEY IF NOT EXISTS `group_member_in_order` (`group_id`, `created_at`, `id`, `user_id`);
