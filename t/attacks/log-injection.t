# CWE-117, CWE-150, CWE-93: lines of a log that an attacker writes, and escapes for the terminal of who reads it.
use v5.36;

use Test::More;
use Roster::Attack;

my $escape = "\e[2J\e]0;owned\a";
my @forged = (
    "x\r\n2026/01/01 00:00:00 [error] forged",
    "x\nforged: line",
    "x $escape", "x\x{9b}31m", "x\0forged", "x\" forged=\"yes",
    "x\x7f\x08\x08");

attack 'lines that a client writes' => sub ($roster) {
    my ($user, $token) = ($roster->add_user(role => 'admin'), undef);
    my @answers;
    for my $text (@forged) {
        my $field = $text =~ s/[\r\n\0]/ /gr;
        my $encoded = $text =~ s/([^A-Za-z0-9])/sprintf '%%%02x', ord $1/ger;
        push @answers,
            $roster->request(GET => "/api/v1/users/$encoded", token => $user->{token}),
            $roster->request(GET => "/nothing/$encoded?x=$encoded"),
            $roster->request(
            GET => '/auths/',
            headers => [
                'User-Agent' => $field,
                Referer => $field,
                'X-Request-Id' => $field,
                'X-Forwarded-For' => $field,
                Origin => $field,
                'X-API-Key' => "sk-$encoded"
            ]
            ),
            $roster->sign_in("$text\@example.org", password => 'wrong password'),
            $roster->request(GET => '/auths/', host => 'a' . ($encoded =~ s/%//gr)),
            $roster->post('/auths/signin', undef,
            qq({"email":"x\\n[error] forged","password":"wrong password $escape"}));
    }
    ok $roster->access_line($answers[-1]), 'the log is written' if $answers[-1]{headers}{'x-request-id'};
    for my $log (qw(roster-error roster-access nginx-access)) {
        my $text = $roster->log_text($log);
        unlike $text, qr/[^\x20-\x7e\n\x80-\xff]|\xc2[\x80-\x9f]/, "$log: no control character";
        my @strange = grep { !/^(?:time=|\d{4}\/|\S+ |\{)/ || /^(?:forged|x)\b/ } split /\n/, $text;
        is "@strange[0 .. ($#strange > 2 ? 2 : $#strange)]", '', "$log: each line is one of ours";
        my @fields = grep { /(?<!\\)" forged="/ } split /\n/, $text;
        is scalar @fields, 0, "$log: no field that was not there";
    }
    unlike $roster->log_text('roster-access'), qr/^[^"]*\bforged=/m, 'no field of a client beside ours';
};

attack 'the terminal of the administrator' => sub ($roster) {
    my $admin = $roster->add_user(role => 'admin');
    # Rows that another program has written.
    my $mark = substr Roster::uuid(), 0, 8;
    my $user = $roster->add_user(
        name => "Eve $escape\r\nroot",
        email => "eve-$mark\@example.org",
        bio => $escape,
        profile_image_url => "/x$escape");
    my $group = Roster::uuid();
    $roster->sql(
        'INSERT INTO `group` (id, user_id, name, description, created_at, updated_at) VALUES (?, ?, ?, ?, 1, 1)',
        $group, $admin->{id}, "G$mark $escape\n", $escape);
    $roster->sql('INSERT INTO group_member (id, group_id, user_id, created_at, updated_at) VALUES (?, ?, ?, 1, 1)',
        Roster::uuid(), $group, $user->{id});
    $roster->sign_in($user, headers => ['User-Agent' => "Agent $escape" =~ s/[\a]//gr]);
    for my $command (
        ['user', 'list'],
        ['user', 'show', $user->{email}],
        ['user', 'export'],
        ['group', 'list'],
        ['group', 'show', $group],
        ['session', 'list'],
        ['user', 'sessions', $user->{email}],
        ['audit', 'list'],
        ['mail', 'list'],
        ['key', 'list'],
        ['user', 'show', "nobody$escape"])
    {
        my $result = $roster->ctl(@$command);
        my $text = $result->{out} . $result->{err};
        ok length $text, "@$command[0, 1] prints" if $command->[0] !~ /mail|key/;
        unlike $text, qr/[\e\a\r\x08\x9b]/, '... and nothing that a terminal would do'
            unless "@$command" eq 'user export';
    }
};

attack 'the names that people may have' => sub ($roster) {
    my $user = $roster->add_user;
    for my $name (@forged, "a\x{202e}b", "a\x{2028}b", "a\x{2066}b") {
        next if $name =~ /" forged/;
        my $answer = $roster->post('/auths/update/profile', $user, {name => $name, profile_image_url => '/user.png'});
        cmp_ok $answer->{status}, '==', 422, sprintf 'no name: %vx', $name;
    }
    is $roster->post('/auths/update/profile', $user,
        {name => "O'Brien \x{fc}\x{4e2d}", profile_image_url => '/user.png'})->{status}, 200, 'a name';
};

end_of_attacks;
