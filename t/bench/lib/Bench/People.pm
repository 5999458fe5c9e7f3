# Bench::People: as many people as wanted, with accounts and groups as a site has them.
package Bench::People;
use v5.36;
use utf8;

my @WORDS = qw(Ada Björn Chloé Dmitri Elif Farid Grace Hiro Ines João Kwame Lena Marta Nils Olga Pia Quinn Rosa Sven
    Tove);

# Groups that people are in, two each; and how many rows one statement makes.
my ($GROUPS, $STEP) = (200, 50_000);

# The id of the person with this number, from 1 on.
sub id ($number) { return sprintf '%08d-0000-4000-8000-000000000000', $number }

# Nobody's last activity is so long ago that a request writes it: a run is about what it asks for.
sub idle_since () { return time + 86_400 }

# Makes those from $first to $last, in the order of their numbers. The first call makes the groups, too.
sub fill ($roster, $first, $last) {
    $roster->sql('SET GLOBAL innodb_flush_log_at_trx_commit = 0');
    make_groups($roster) if $first == 1;
    for (my $from = $first; $from <= $last; $from += $STEP) {
        my $to = $from + $STEP - 1;
        make_people($roster, $from, $to < $last ? $to : $last);
    }
    $roster->sql('ANALYZE TABLE user, auth, `group`, group_member');
    $roster->sql('SET GLOBAL innodb_flush_log_at_trx_commit = 1');
    return;
}

sub make_groups ($roster) {
    my $permissions = q{IF(seq % 2, '{"chat":{"delete":true}}', NULL)};
    $roster->sql('INSERT INTO `group` (id, user_id, name, description, permissions, created_at, updated_at) '
            . "SELECT CONCAT('group-', seq), 'x', CONCAT('Group ', seq), '', $permissions, seq, seq "
            . "FROM seq_0_to_@{[$GROUPS - 1]}");
    return;
}

sub make_people ($roster, $from, $to) {
    my $numbers = "FROM seq_${from}_to_$to";
    my $key = q{CONCAT(LPAD(seq, 8, '0'), '-0000-4000-8000-000000000000')};
    my $words = join ', ', map { "'$_'" } @WORDS;
    my ($now, $idle) = (time, idle_since());
    my @statements = (
        'INSERT INTO user (id, email, role, name, profile_image_url, info, settings, last_active_at, updated_at, '
            . "created_at) SELECT $key, CONCAT('resident', seq, '\@example.org'), 'user', "
            . "CONCAT(ELT(seq % 20 + 1, $words), ' ', ELT(seq DIV 20 % 20 + 1, $words), ' ', seq), '/user.png', "
            . qq{'{"city":"Graz"}', '{"ui":{"theme":"dark"}}', $idle - seq, $now - seq, $now - 9000000 + seq $numbers},
        "INSERT INTO auth (id, email, password) SELECT $key, CONCAT('resident', seq, '\@example.org'), "
            . "'$Roster::PASSWORD_HASH' $numbers",
        map {
                  'INSERT INTO group_member (id, group_id, user_id, created_at, updated_at) '
                . "SELECT CONCAT('member-$_-', seq), CONCAT('group-', (seq + $_) % $GROUPS), $key, 1, 1 $numbers"
        } 0,
        101);
    $roster->sql($_) for @statements;
    return;
}

# People with a session each, as sign-in makes it: {id, token} for each id. No request of theirs writes when they were
# active last.
sub sign_in ($roster, @ids) { return make_sessions($roster, idle_since(), @ids) }

# The same, of people who were active long ago, so that a request of theirs writes it, and after the interval again.
sub sign_in_active ($roster, @ids) { return make_sessions($roster, time - 86_400, @ids) }

sub make_sessions ($roster, $active, @ids) {
    my $idle = idle_since();
    my %jti = map { ($_ => Roster::uuid()) } @ids;
    $roster->sql(
        'INSERT INTO session (jti, user_id, created_at, last_seen_at, expires_at) VALUES ' . join ', ',
        map { sprintf "('%s', '%s', %d, %d, %d)", $jti{$_}, $_, time, $active, $idle } @ids);
    $roster->sql(sprintf 'UPDATE user SET last_active_at = %d, changed_at = changed_at WHERE id IN (%s)',
        $active, join ', ', map { "'$_'" } @ids);
    return map { {id => $_, token => $roster->token_for($_, jti => $jti{$_}, exp => $idle)} } @ids;
}

# An administrator.
sub add_admin ($roster) {
    my ($admin) = sign_in($roster, $roster->add_user(role => 'admin')->{id});
    return $admin;
}

# Somebody with five groups of their own, each with permissions.
sub add_member ($roster) {
    my $person = $roster->add_user;
    for my $number (1 .. 5) {
        my $permissions = {chat => {delete => \1, "feature$number" => \1}, workspace => {models => \0}};
        $roster->sql(
            'INSERT INTO `group` (id, user_id, name, description, permissions, created_at, updated_at) VALUES '
                . "(?, 'x', ?, '', ?, 1, ?)",
            "own-$number", "Own $number", JSON::PP->new->canonical->encode($permissions), $number);
        $roster->sql('INSERT INTO group_member (id, group_id, user_id, created_at, updated_at) VALUES (?, ?, ?, 1, 1)',
            "own-member-$number", "own-$number", $person->{id});
    }
    my ($member) = sign_in($roster, $person->{id});
    return $member;
}

1;
