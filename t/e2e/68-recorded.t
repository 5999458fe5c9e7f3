# What Open WebUI 0.12.4 answered to requests (t/recorded/0.12.tsv, whose head tells its columns), asked again of Roster
# with compatibility = 0.12: status, shape and values, but for times. What differs on purpose names its reason there, and
# has to differ.
use v5.36;
use utf8;

use JSON::PP ();
use Test::More;
use Roster;
use Roster::Document;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $json = JSON::PP->new->allow_nonref->canonical;
my $roster = Roster->new(config => {compatibility => '0.12', rate_limits => 'no', privacy => 'compatible'});
my (%people, %id_of, %sessions, %key_of, %reason_of, $fresh, $settings);
Roster::Document::use_compatibility('0.12');

# ---- Who and what there is ----

sub person ($name, %columns) {
    $people{$name} = $roster->add_user(email => "$name\@example.com", %columns);
    $id_of{$name} = $people{$name}{id};
    return;
}

sub group ($name, %columns) {
    my $id = $id_of{$name} = Roster::uuid();
    my %row =
        (id => $id, user_id => $id_of{admin2}, created_at => 1_700_000_050, updated_at => 1_700_000_050, %columns);
    my @names = sort keys %row;
    $roster->sql(
        sprintf('INSERT INTO `group` (%s) VALUES (%s)', join(', ', map { "`$_`" } @names), join ', ', ('?') x @names),
        @row{@names});
    return;
}

sub member ($group, $person) {
    $roster->sql('INSERT INTO group_member (id, group_id, user_id, created_at, updated_at) VALUES (UUID(), ?, ?, 0, 0)',
        $id_of{$group}, $id_of{$person});
    return;
}

sub api_key ($person) {
    $key_of{$person} = $roster->secret('sk-' . unpack 'H*', Roster::random_bytes(16));
    $roster->sql('INSERT INTO api_key (id, user_id, `key`, created_at, updated_at) VALUES (UUID(), ?, ?, 0, 0)',
        $id_of{$person}, $key_of{$person});
    return;
}

my $away = 1_700_000_000;
person('first-admin', email => 'admin@example.com', name => 'First Admin', role => 'admin', created_at => 1);
person('admin2', name => 'Second Admin', role => 'admin');
person(
    'full',
    name => 'Full Profile',
    username => 'full_user',
    settings => '{"extra": [1, 2], "ui": {"k": 1}}',
    bio => 'Bio text',
    timezone => 'Europe/Berlin',
    status_emoji => '😀',
    status_message => 'busy',
    status_expires_at => 1_900_000_000,
    date_of_birth => '1990-02-28',
    gender => 'other',
    info => {k => 'v'},
    oauth => {google => {sub => '123'}},
    presence_state => 'away',
    profile_banner_image_url => '/banner.png');
person('plain', name => 'Plain User');
person('odd-unicode', name => 'Ünïcödé Ärger', last_active_at => $away);
person('waiting', name => 'Pending User', role => 'pending');
person('extras');
person('uinull', settings => '{"ui": null, "x": 1}');
person('noui', settings => '{"x": 1}');
person('recent', name => 'Recently Active');
person('editme', name => 'Editme');
person('holder', info => {a => 1, b => {c => 2}});
person($_, name => ucfirst) for qw(victim1 victim2);
person($_) for qw(tooluser bare leaver stamped changer sharer);
my @names = ('Anna Ason0', 'Person', 'Joanna Cson2', 'Bob Dson3', 'bella Eson4', 'Carlos Fson5');
for my $number (0 .. 30) {
    my $name = sprintf 'fill%02d', $number;
    person(
        $name,
        name => $names[$number] // "Zoe $number",
        role => $number ? 'user' : 'pending',
        last_active_at => $away);
}
$people{editme}{email} = 'editme@example.com';
$roster->sql('UPDATE auth SET session_stamp = ? WHERE id = ?', 'a stamp', $id_of{stamped});
group(
    'group-a',
    name => 'Alpha',
    description => 'About Alpha',
    permissions =>
        '{"chat": {"delete": true}, "custom": {"deep": {"flag": true}}, "features": {"direct_tool_servers": true}}',
    created_at => 1_700_000_100,
    updated_at => 1_700_000_100);
group('group-e', name => 'Empty', description => 'About Empty', permissions => '{"settings": {"interface": true}}');
group(
    'tools',
    name => 'Tools',
    description => '',
    permissions => '{"features": {"direct_tool_servers": true, "api_keys": true}}');
member('group-a', $_) for qw(full recent extras bare);
member('tools', $_) for qw(tooluser holder);
api_key($_) for qw(admin2 holder victim1);
for my $provider (qw(google github)) {
    $roster->sql(
        'INSERT INTO oauth_session (id, user_id, provider, token, expires_at, created_at, updated_at) '
            . 'VALUES (?, ?, ?, ?, 1900000000, 1700000001, 1700000001)',
        $provider eq 'github' ? 'oauth-session-1' : 'o2', $id_of{full}, $provider, 't');
}
$id_of{'oauth-session-1'} = 'oauth-session-1';
$id_of{nobody} = Roster::uuid();
$roster->change_settings($people{admin2}, ENABLE_API_KEYS => JSON::PP::true, ENABLE_SIGNUP => JSON::PP::false);
$settings = $roster->settings($people{admin2});
$fresh = $roster->get('/users/default/permissions/defaults', $people{admin2})->{json};

# ---- Requests ----

sub credentials ($who) {
    return () if $who eq 'nobody';
    return (token => $1) if $who =~ /^text (.*)/;
    return (headers => [Cookie => "token=$key_of{$1}"]) if $who =~ /^cookie key (.*)/;
    return (token => $key_of{$1}) if $who =~ /^key (.*)/;
    return (token => $sessions{$2}[$1 eq '@' ? -1 : -2]) if $who =~ /^(@@?)(.*)/;
    if ($who =~ /^later (.*)/) {
        my $name = $1;
        my $now = time;
        wait_until(10, sub { time > $now + 1 });
        return (token => $roster->token_for($id_of{$name}));
    }
    my ($name, $claims) = $who =~ /^(\S+)(?: (.*))?$/;
    return (token => $people{$name}{token}) if !defined $claims;
    my %claims = (id => $id_of{$name}, iat => time, exp => time + 600, %{$json->decode($claims)});
    delete @claims{grep { ($claims{$_} // '') eq 'none' } keys %claims};
    return (token => $roster->jwt(\%claims));
}

sub all_false ($value) {
    return {
        map {
            my $s = $_;
            ($s => {map { ($_ => JSON::PP::false) } keys %{$value->{$s}}})
        } keys %$value
    };
}

# "+", "-" and "only", as the head of the file says.
sub begin_with ($body) {
    my $kind = delete $body->{'+'} // return $body;
    my $begin = $kind eq 'config' ? $settings : $kind eq 'false' ? all_false($fresh) : $fresh;
    my $whole = $json->decode($json->encode($begin));
    my ($less, $only) = delete @$body{qw(- only)};
    for my $key (keys %$body) {
        my $is_section = $kind ne 'config' && ref $body->{$key} eq 'HASH' && ref $whole->{$key} eq 'HASH';
        $whole->{$key} = $is_section && %{$body->{$key}} ? {%{$whole->{$key}}, %{$body->{$key}}} : $body->{$key};
        next if !$is_section;
        delete @{$whole->{$key}}{grep { ($whole->{$key}{$_} // '') eq 'none' } keys %{$whole->{$key}}};
    }
    delete $whole->{$less} if $less;
    return $only ? {map { ($_ => $whole->{$_}) } @$only} : $whole;
}

sub fill ($value, $email = undef) {
    return {map { ($_ => fill($value->{$_}, $value->{email} // $email)) } keys %$value} if ref $value eq 'HASH';
    return [map { fill($_) } @$value] if ref $value eq 'ARRAY';
    return $value if !defined $value || ref $value || $value !~ /^[<*@]/;
    return 'x' x $1 if $value =~ /^\*(\d+)$/;
    return $Roster::PASSWORD if $value eq '@';
    return $value =~ s/^<([\w-]+)>$/$id_of{$1} \/\/ $value/er;
}

sub ask ($who, $method, $path, $body) {
    my $target = $path =~ s/<([\w-]+)>/$id_of{$1} \/\/ die "$path: there is no $1\n"/ger;
    my %options = credentials($who);
    if (length $body) {
        my $data = $json->decode($body);
        $options{json} = fill(ref $data eq 'HASH' ? begin_with($data) : $data);
    }
    my $answer = $roster->request($method => $target, %options);
    return $answer if $answer->{status} != 200;
    if ($path eq '/groups/create') {
        $id_of{'group-' . lc $answer->{json}{name} =~ s/ /-/gr} = $answer->{json}{id};
    }
    if ($path eq '/auths/signin' && defined $answer->{json}{token}) {
        push @{$sessions{$answer->{json}{email} =~ s/@.*//r}}, $answer->{json}{token};
    }
    return $answer;
}

# ---- Answers ----

# As the file has them.
sub print_value ($value) {
    return '[' . join(', ', map { print_value($_) } @$value) . ']' if ref $value eq 'ARRAY';
    return '{' . join(', ', map { $json->encode($_) . ': ' . print_value($value->{$_}) } sort keys %$value) . '}'
        if ref $value eq 'HASH';
    return $json->encode($value);
}

sub same_times ($text) {
    return $text =~ s/("\w+_at": )(?:\d+|"<(?:now|future)>")/$1<time>/gr =~ s/("last_active_at": )null/$1<time>/gr =~
        s/"<id 1 of [^"]*>"/"<id>"/gr =~ s/"<(\d+) chars \w+>"/"<$1 chars>"/gr;
}

sub print_answer ($value) {
    my %name_of = reverse %id_of;
    my $text = print_value($value);
    $text =~ s/([0-9a-f]{8}-[0-9a-f-]{27}|oauth-session-1)/$name_of{$1} ? "<$name_of{$1}>" : $1/ge;
    $text =~ s/"(x{1000,})"/'"<' . length($1) . ' chars>"'/ge;
    return same_times($text);
}

sub compare ($answer, $expected) {
    my $data = $json->decode($expected =~ /…$/ ? 'null' : $expected);
    if (ref $data eq 'HASH' && exists $data->{errors}) {
        my $faults = ref $answer->{json}{detail} eq 'ARRAY' ? $answer->{json}{detail} : [];
        my @ours = sort map { $json->encode([@$_{qw(type loc)}]) } @$faults;
        my @theirs = sort map { $json->encode($_) } @{$data->{errors}};
        return "@ours" eq "@theirs" ? undef : "@ours, not @theirs";
    }
    if (ref $data eq 'HASH' && exists $data->{error}) {
        my $is_code = $data->{error} =~ /^[A-Z_]+$/ && $data->{error} ne 'NOT_FOUND';    # ours says what was not found
        return $is_code
            && $answer->{json}{code} ne $data->{error} ? "$answer->{json}{code}, not $data->{error}" : undef;
    }
    my $ours = print_answer($answer->{json});
    my $theirs = same_times($expected);
    if ($theirs =~ /"<id>"/) {
        $ours =~ s/"id": "[^"]*"/"id": "<id>"/g;
    }
    if ($theirs =~ /^\[(\{.*\}), …$/ && ref $answer->{json} eq 'ARRAY') {
        my $one = $1;
        return (grep { print_answer($_) eq $one } @{$answer->{json}}) ? undef : "ours: $ours\nhas no $one";
    }
    if ($theirs =~ s/…$//) {
        $theirs =~ s/[^,\[{]*\z//;    # what was cut in the middle
        $ours = substr $ours, 0, length $theirs;
    }
    return $ours eq $theirs ? undef : "ours:   $ours\ntheirs: $theirs";
}

my %count;
open my $file, '<:encoding(UTF-8)', "$Roster::source/t/recorded/0.12.tsv" or die "0.12.tsv: $!\n";
while (my $line = <$file>) {
    chomp $line;
    my ($kind, @cells) = split /\t/, $line, -1;
    next if $line =~ /^#/ || $line eq '';
    if ($kind eq 'reason') {
        $reason_of{$cells[0]} = $cells[1];
    }
    elsif ($kind eq 'step') {
        my $answer = ask(@cells);
        is $answer->{status}, 200, join ' ', 'before:', @cells[1, 2] or diag "$cells[3]\n$answer->{body}";
    }
    else {
        my ($name, $who, $method, $path, $body, $status, $expected, $reason) = @cells;
        my $answer = ask($who, $method, $path, $body);
        my $difference =
            $answer->{status} != $status ? "status $answer->{status}, not $status" : compare($answer, $expected);
        $count{!defined $difference ? 'equal' : $reason ? 'otherwise' : 'wrong'}++;
        if ($reason) {
            ok defined $difference, "$name: otherwise, since $reason_of{$reason}";
        }
        else {
            ok !defined $difference, $name or diag "$difference\n", substr $answer->{body} // '', 0, 300;
        }
    }
}
close $file;
note join ', ', map { "$count{$_} $_" } sort keys %count;

done_testing;
