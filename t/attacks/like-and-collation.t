# CVE-2019-19844, CWE-89, CWE-155, CWE-1289: patterns of LIKE, SQL, and letters that a collation takes for others.
use v5.36;
use utf8;

use Test::More;
use Roster::Attack;
use Unicode::Normalize ();

attack 'an address that is nearly another one' => sub ($roster) {
    my $victim = $roster->add_user(email => 'mikes@example.org');
    my $number = $roster->sql('SELECT COUNT(*) FROM mail');
   # What a case mapping or a collation makes of them: the victim's address, which would get what the attacker asks for.
    my @near = (
        "m\x{131}kes\@example.org", "mi\x{212a}es\@example.org",
        "mike\x{17f}\@example.org", "mikes\@example.org ",
        "mikes\@example.org\t", "mikes\@ex\x{e4}mple.org",
        "\x{ff4d}ikes\@example.org", "mik\x{e9}s\@example.org",
        "mikes\@example\x{ff0e}org", "mikes\@example.org\0",
        "m\x{ef}kes\@example.org", 'mike_@example.org',
        '%@example.org', 'mikes@example.or_',
        "mikes\@example.org' -- ", "mikes\x{ad}\@example.org",
        "mikes\x{200b}\@example.org");
    for my $email (@near) {
        my $answer = $roster->sign_in($email, password => $victim->{password});
      # White space around it is not part of an address, as everywhere; and what Unicode calls the same character is the
      # same (the Kelvin sign is a K, in each normal form), as two accounts can't have both.
        my $same = lc Unicode::Normalize::NFC($email =~ s/\A\s+|\s+\z//gr) eq $victim->{email};
        is $answer->{status} == 200 ? 1 : 0, $same ? 1 : 0, 'sign-in: ' . sprintf '%vx', $email;
    }
    is $roster->sign_in('MIKES@EXAMPLE.ORG', password => $victim->{password})->{status}, 200,
        'another case is the same address';
};

# The mail goes to the address of the account, never to what was typed.
attack 'a forgotten password of nearly another address' => sub ($roster) {
    my $victim = $roster->add_user(email => 'vickie@example.org');
    my @near = (
        "v\x{131}ck\x{131}e\@example.org", "vic\x{212a}ie\@example.org",
        '%@example.org', 'vicki_@example.org',
        'vickie@example.org,evil@evil.example', "vickie\@example.org\nBcc: evil\@evil.example",
        'evil@evil.example, vickie@example.org', '"vickie@example.org"@evil.example',
        'vickie@example.org%0aBcc:evil@evil.example', "vickie\@example.org\0evil\@evil.example");
    my $before = () = mails($roster);
    for my $email (@near, $victim->{email}) {
        my $answer = $roster->post('/auths/password/forgot', undef, {email => $email});
        ok $answer->{status} == 200 || $answer->{status} == 422, "an answer: $answer->{status}";
    }
    my $is_done = sub { $roster->sql('SELECT COUNT(*) FROM mail WHERE next_at IS NOT NULL') == 0 };
    ok wait_until(20, $is_done), 'mails were sent' or diag explain [$roster->rows('SELECT * FROM mail')];
    my @mails = mails($roster);
    splice @mails, 0, $before;
    cmp_ok scalar @mails, '>=', 1, 'the account gets one';
    is scalar(grep { $_->{to} !~ /^<?vickie\@example\.org>?$/ } @mails), 0, 'none goes anywhere else';
    is scalar(grep { /evil/ } map { $_->{text} } @mails), 0, '... nor has a word of the attacker';
};

attack 'patterns and SQL in a search' => sub ($roster) {
    my ($admin, $mark) = ($roster->add_user(role => 'admin'), 'q' . substr Roster::uuid(), 0, 8);
    my @people = map { $roster->add_user(name => "$mark $_") } 'plain', 'per%cent', 'under_score', 'back\\slash',
        q{quo'te};
    my $names = sub ($query, $rest = '') {
        utf8::encode($query);
        my $encoded = $query =~ s/([^A-Za-z0-9])/sprintf '%%%02x', ord $1/ger;
        my $answer = $roster->get("/users/?query=$encoded$rest", $admin);
        return $answer->{status} == 200
            ? join ', ', sort map { $_->{name} } @{$answer->{json}{users}}
            : $answer->{status};
    };
    is $names->("$mark plain"), "$mark plain", 'a name';
    is $names->("$mark pla_n"), '', '_ is itself';
    is $names->("$mark pl%n"), '', '% is itself';
    is $names->("$mark per%"), "$mark per%cent", '... and is found';
    is $names->("$mark under_"), "$mark under_score", '_, too';
    is $names->("$mark back\\"), "$mark back\\slash", '\\, too';
    is $names->("$mark quo'"), "$mark quo'te", "', too";
    is $names->("$mark' OR '1'='1"), '', 'SQL is a text';
    is $names->("$mark') UNION SELECT password FROM auth -- "), '', '... whatever it says';
    is $names->($mark, "&order_by=$_"), $names->($mark), "order_by=$_ orders, and nothing else"
        for 'name', 'password', '(SELECT%20SLEEP(5))', 'id;DROP%20TABLE%20user', 'group_id:%27%20OR%201=1', 'oauth',
        'api_key';
    is $names->($mark, "&direction=$_"), $names->($mark), "direction=$_" for 'asc', 'desc,(SELECT%201)', "asc'";
    like $names->($mark, "&page=$_"), qr/^(?:|422|\Q$mark\E.*)$/, "page=$_"
        for '-1', '0', '9223372036854775808', "1'", '1%20OR%201';
    like $names->($mark, "&group=' OR 1=1" =~ s/ /%20/gr), qr/^(?:|404)$/, 'a group that is SQL has no members';
    is $roster->sql('SELECT COUNT(*) FROM user WHERE id = ?', $admin->{id}), 1, 'the tables are there';
};

attack 'order_by tells nothing that the list does not show' => sub ($roster) {
    my $user = $roster->add_user;
    my $before = $roster->get('/users/search?query=person&order_by=created_at', $user);
    is $roster->get("/users/search?query=person&order_by=$_", $user)->{status}, $before->{status}, "order_by=$_"
        for 'password', 'auth.password', 'api_key', 'settings', 'email%2C(SELECT%20password%20FROM%20auth%20LIMIT%201)';
};

end_of_attacks;
