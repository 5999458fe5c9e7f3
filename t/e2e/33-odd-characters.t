# Odd characters in names and addresses: what a terminal or a page could obey is refused in names wherever they come
# from, what can't be seen is refused in addresses, and an address is found in whatever form it is typed.
use v5.36;
use utf8;

use Encode ();
use Test::More;
use Roster;

my $proxy = '192.0.2.7';
my $roster = Roster->new(config => {password_refuse_common => 'no'});
my $admin = $roster->add_user(role => 'admin', name => 'Admin', email => 'admin@example.org');
my $user = $roster->add_user;
my $password = 'a rather long one';
$roster->secret($password);

# The faults of a 422: "type loc".
sub faults ($answer) {
    return $answer->{status} == 422
        ? join ', ', map { "$_->{type} " . join '.', @{$_->{loc}} } @{$answer->{json}{detail}}
        : in_short($answer);
}

my @odd = (
    "\x{1}", "\t", "\n", "\x{1b}", "\x{7f}", "\x{80}", "\x{9b}", "\x{61c}",
    "\x{200e}", "\x{200f}", "\x{2028}", "\x{2029}", "\x{202a}", "\x{202e}", "\x{2066}", "\x{2069}");
my @fine = (
    "\x{200d}", "\x{200c}", "\x{a0}", "\x{3000}", "\x{feff}", 'ä', "a\x{308}", "\x{1F469}\x{200d}\x{1F680}", "'",
    '<b>', "\x{2010}");

$roster->change_settings(
    $admin,
    ENABLE_SIGNUP => JSON::PP::true,
    ENABLE_API_KEYS => JSON::PP::true,
    DEFAULT_USER_ROLE => 'user');
is $roster->post('/users/default/permissions', $admin,
    {workspace => {}, sharing => {}, chat => {}, features => {api_keys => JSON::PP::true}})->{status}, 200,
    'everybody may have keys';
my $group = $roster->post('/groups/create', $admin, {name => 'Team', description => "of\ntwo\tlines"})->{json};
my $key = $roster->post('/auths/api_keys', $user, {name => 'Key'})->{json};

my $count = 0;
# Each place where a name is taken: what it answers to this name.
my %places = (
    'sign-up' => sub ($name) {
        $roster->post('/auths/signup', undef,
            {name => $name, email => 'u' . ++$count . '@example.org', password => $password});
    },
    'add' => sub ($name) {
        $roster->post('/auths/add', $admin,
            {name => $name, email => 'u' . ++$count . '@example.org', password => $password});
    },
    'update' => sub ($name) {
        $roster->post("/users/$user->{id}/update", $admin,
            {role => 'user', name => $name, email => $user->{email}, profile_image_url => ''});
    },
    'profile' =>
        sub ($name) { $roster->post('/auths/update/profile', $user, {name => $name, profile_image_url => ''}) },
    'group' => sub ($name) { $roster->post('/groups/create', $admin, {name => $name, description => ''}) },
    'group update' =>
        sub ($name) { $roster->post("/groups/id/$group->{id}/update", $admin, {name => $name, description => ''}) },
    'key' => sub ($name) { $roster->post('/auths/api_keys', $user, {name => $name}) },
    'key update' => sub ($name) { $roster->post("/auths/api_keys/$key->{id}", $user, {name => $name}) });

for my $place (sort keys %places) {
    subtest "names: $place" => sub {
        for my $character (@odd) {
            is faults($places{$place}->("a${character}b")), 'string_pattern_mismatch body.name',
                sprintf 'U+%04X is refused', ord $character;
        }
        for my $name (map { "a${_}b" } $place eq 'sign-up' ? @fine[0, 2] : $place =~ /key|add/ ? @fine[0 .. 5] : @fine)
        {
            my $answer = $places{$place}->($name);
            is_deeply [$answer->{status}, $answer->{json}{name}], [200, $name],
                'this one is taken, as it was sent: ' . join ' ', map { sprintf '%04X', ord } split //, $name;
        }
    };
}

subtest 'addresses with odd characters' => sub {
    my @bad = (
        "\x{a0}", "\x{3000}", "\x{2003}", "\x{200b}", "\x{ad}", "\x{200d}", "\x{feff}", "\x{202e}",
        "\x{9b}", "\x{85}", "\x{7f}", "\x{2028}", "\x{e0061}", ' ', "\t");
    for my $character (@bad) {
        my $email = "ad${character}a\@example.org";
        my $name = sprintf 'U+%04X', ord $character;
        is_problem $roster->post('/auths/signup', undef, {name => 'x', email => $email, password => $password}), 400,
            'INVALID_EMAIL_FORMAT', "sign-up with $name";
        is_problem $roster->post('/auths/add', $admin, {name => 'x', email => $email, password => $password}), 400,
            'INVALID_EMAIL_FORMAT', "add with $name";
        is_problem $roster->post("/users/$user->{id}/update", $admin,
            {role => 'user', name => 'x', email => $email, profile_image_url => ''}),
            400, 'INVALID_EMAIL_FORMAT', "update with $name";
        my ($status, $said) = $roster->rosterctl('user', 'add', '--email', Encode::encode('UTF-8', $email),
            '--name', 'x', '--role', 'user', '--no-password');
        is $status >> 8, 6, "rosterctl with $name" or diag $said;
    }
    my $twin = $roster->post('/auths/add', $admin, {name => 'Twin', email => 'twin@example.org', password => $password})
        ->{json};
    is_problem $roster->post('/auths/add', $admin,
        {name => 'x', email => "\x{a0}twin\@example.org\x{3000}", password => $password}),
        400, 'EMAIL_TAKEN',
        'white space around an address makes no other one';
    is $roster->post('/auths/signin', undef, {email => "\x{a0} Twin\@example.org\x{3000}", password => $password})
        ->{json}{id},
        $twin->{id}, '... nor at sign-in';
    is_problem $roster->post('/auths/add', $admin,
        {name => 'x', email => "TW\x{ff29}N\@example.org", password => $password}),
        400, 'EMAIL_TAKEN', 'full width is no other address';
};

subtest 'addresses, composed and decomposed' => sub {
    # é: a letter and a mark; q with two marks in either order; Hangul, which is composed by arithmetic: none but the
    # first is one to the collation.
    my @forms = (
        ["jos\x{e9}", "jose\x{301}", "JOS\x{c9}", "JOSE\x{301}"],
        ["q\x{323}\x{307}", "q\x{307}\x{323}", "Q\x{307}\x{323}"],
        ["\x{d55c}", "\x{1112}\x{1161}\x{11ab}"],
        ["i\x{307}", "\x{130}", "I\x{307}"],
        ["\x{3bf}\x{3b4}\x{3bf}\x{3c2}", "\x{39f}\x{394}\x{39f}\x{3a3}"],    # ΟΔΟΣ
    );
    for my $forms (@forms) {
        my ($composed, @others) = map { "$_\@example.org" } @$forms;
        my $made =
            $roster->post('/auths/add', $admin, {name => 'x', email => $others[0], password => $password})->{json};
        is $made->{email}, $composed, "stored composed and in lower case: $composed";
        for my $form ($composed, @others) {
            is $roster->post('/auths/signin', undef, {email => $form, password => $password})->{json}{id}, $made->{id},
                "... and found as " . join ' ', map { sprintf '%04X', ord } split //, $form =~ s/@.*//r;
            is_problem $roster->post('/auths/add', $admin, {name => 'x', email => $form, password => $password}), 400,
                'EMAIL_TAKEN', '... which is taken';
        }
        is $roster->ask(DELETE => "/users/$made->{id}", $admin)->{status}, 200, '... deleted';

        # As rows that were moved over have it.
        my $decomposed = $forms->[0] eq "i\x{307}" || $forms->[0] =~ /\x{3c2}/ ? $composed : lc $others[0];
        $decomposed = "q\x{323}\x{307}\@example.org" if $decomposed =~ /^q/;
        my $moved = $roster->add_user(email => $decomposed);
        for my $form ($composed, @others) {
            is $roster->post('/auths/signin', undef, {email => $form, password => $moved->{password}})->{json}{id},
                $moved->{id}, '... stored decomposed it is found as well';
            is_problem $roster->post('/auths/add', $admin, {name => 'x', email => $form, password => $password}), 400,
                'EMAIL_TAKEN', '... and taken';
        }
        my ($status, $said) = $roster->rosterctl('--quiet', 'user', 'show', Encode::encode('UTF-8', $composed));
        is $said, "$moved->{id}\n", '... also by rosterctl';
        my $update = $roster->post("/users/$moved->{id}/update", $admin,
            {role => 'user', name => 'x', email => $composed, profile_image_url => ''});
        is_deeply [$update->{status}, $update->{json}{email}], [200, $composed],
            '... and its form changes with the next change';
        $roster->sql('DELETE FROM user WHERE id = ?', $moved->{id});
    }
    my $stored = $roster->add_user(email => "zo\x{e9}.\x{200b}old\@example.org");
    is $roster->post('/auths/signin', undef,
        {email => "ZO\x{c9}.\x{200b}Old\@example.org", password => $stored->{password}})->{status}, 200,
        'an old address with odd characters signs in';
    is $roster->post("/users/$stored->{id}/update", $admin,
        {role => 'user', name => 'x', email => "zo\x{e9}.\x{200b}old\@example.org", profile_image_url => ''})->{status},
        200,
        '... and sent back it stays';
};

subtest 'what is not one' => sub {
    my $plain =
        $roster->post('/auths/add', $admin, {name => 'x', email => 'istanbul2@example.org', password => $password})
        ->{json};
    for my $other ("\x{130}stanbul2\@example.org", "i\x{307}stanbul2\@example.org", "\x{131}stanbul2\@example.org") {
        is_problem $roster->post('/auths/signin', undef, {email => $other, password => $password}), 400, 'INVALID_CRED',
            join ' ', 'not i:', map { sprintf '%04X', ord } substr $other, 0, 2;
    }
    my $dotted =
        $roster->post('/auths/add', $admin,
        {name => 'x', email => "\x{130}stanbul2\@example.org", password => "$password 2"})->{json};
    isnt $dotted->{id}, $plain->{id}, 'İ may have an account of its own';
    is $roster->post('/auths/signin', undef, {email => "\x{130}stanbul2\@example.org", password => "$password 2"})
        ->{json}{id},
        $dotted->{id}, '... and signs in to it';
    is $roster->post('/auths/signin', undef, {email => 'ISTANBUL2@example.org', password => $password})->{json}{id},
        $plain->{id}, '... as i does to its own';
    $roster->sql('DELETE FROM user WHERE id = ?', $dotted->{id});

    my $before =
        $roster->post('/auths/signin', undef, {email => 'istanbul2@example.org', password => $password})->{json};
    $roster->{options}{config} = {
        %{$roster->{options}{config}},
        trusted_email_header => 'X-Forwarded-Email',
        trusted_name_header => 'X-Forwarded-Name',
        trusted_groups_header => 'X-Forwarded-Groups',
        trusted_proxies => $proxy
    };
    $roster->restart('roster');
    my $enter = sub ($email, $name = undef, $groups = undef) {
        my @fields = (['X-Forwarded-Email', $email], ['X-Forwarded-Name', $name], ['X-Forwarded-Groups', $groups]);
        my @headers = map { ($_->[0] => Encode::encode('UTF-8', $_->[1])) } grep { defined $_->[1] } @fields;
        return $roster->sign_in('', password => '', headers => \@headers, client => $proxy);
    };
    my $let_in = $enter->("\x{130}stanbul2\@example.org");
    is $let_in->{status}, 200, 'by a trusted header İ signs in';
    isnt $let_in->{json}{id}, $plain->{id}, '... as somebody else than i';
    is $enter->("\x{a0}ISTANBUL2\@example.org")->{json}{id}, $plain->{id}, '... i as i';
    is_problem $enter->("a\x{200b}da\@example.org"), 400, 'INVALID_EMAIL_FORMAT', 'a header with what can\'t be seen';
    is $roster->get('/auths/', $before, client => $proxy, headers => ['X-Forwarded-Email' => 'Istanbul2@example.org'])
        ->{status}, 200, 'a token with its own address beside it';
    is_problem $roster->get(
        '/auths/', $before,
        client => $proxy,
        headers => ['X-Forwarded-Email' => "\x{130}stanbul2\@example.org"]
        ),
        401, 'INVALID_TOKEN',
        '... and with İ\'s';
    my $crew = $roster->post('/groups/create', $admin, {name => 'Crew', description => ''})->{json};
    my $count = 0;
    is $enter->('odd' . ++$count . '@example.org', "A\x{9b}d\x{202e}a\x{2028} L")->{json}{name}, 'Ada L',
        'a name of a header loses what has no place in names';
    is $enter->('odd' . ++$count . '@example.org', "\x{202e}\x{9b}")->{json}{name}, "odd$count\@example.org",
        '... and counts as none where nothing is left';
    my $member = $enter->('odd' . ++$count . '@example.org', 'M', "Cr\x{200e}ew")->{json};
    is $roster->sql('SELECT COUNT(*) FROM group_member WHERE user_id = ? AND group_id = ?', $member->{id}, $crew->{id}),
        1, '... as those of groups do';
};

done_testing;
