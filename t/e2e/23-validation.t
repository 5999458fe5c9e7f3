# Bodies and queries that fail validation: every fault of every field of every schema, as schemas.def has them, and what
# is no JSON at all.
use v5.36;
use utf8;

use Test::More;
use Roster;
use Roster::Tables;

binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output);

my $roster = Roster->new(config => {rate_limits => 'no', last_active_interval => '1d', log_level => 'info'});
my $coder = JSON::PP->new->utf8->canonical->allow_nonref;
my $admin = $roster->add_user(role => 'admin', last_active_at => time);
my $user = $roster->add_user(last_active_at => time);
my %mark = (text => 'Xq7zMark');    # stands in everything that is sent and must never come back

# ---- The tables ----

my @routes = Roster::Tables::records('tables/routes.def', 'ROUTE');
my (%schema, %permission);
{
    $schema{$_->{name}} = {%$_, fields => []} for Roster::Tables::records('tables/schemas.def', 'SCHEMA');
    push @{$schema{$_->{schema}}{fields}}, $_ for Roster::Tables::records('tables/schemas.def', 'FIELD');
    push @{$permission{$_->{section}}}, $_ for Roster::Tables::records('tables/permissions.def', 'PERMISSION');
    cmp_ok scalar(keys %schema), '>', 15, 'schemas were found';
    cmp_ok scalar(@routes), '>', 50, 'routes were found';
    is scalar(keys %permission), 6, 'sections of permissions were found';
}

# What the configuration says: which fields there are.
my $compatibility = '0_6';
sub is_there ($row) { return $row->{since} eq '0_6' || $compatibility eq '0_12' }

sub is_required ($field) {
    return $field->{needed} eq 'REQUIRED' || $field->{needed} eq 'RELAXED' && $compatibility eq '0_6';
}

# Whatever stands in a path, there is no such thing; a route that is reached all the same answers something else than
# 422.
sub path_of ($route) { return $route->{path} =~ s/\{\w+\}/nothing/gr }
sub who ($route) { return $route->{who} eq 'ANYONE' ? undef : $admin->{token} }

# Sends these bytes: what came of it, as text: "422 type loc; …".
sub send_bytes ($route, $bytes, %options) {
    my $answer = $roster->request(
        $route->{method} => path_of($route),
        token => who($route),
        body => $bytes,
        headers => ['Content-Type', $options{type} // 'application/json']);
    return outcome_of($answer);
}

sub outcome_of ($answer) {
    return 'no answer' if !$answer;
    return $answer->{status} . ' ' . (ref $answer->{json} eq 'HASH' && $answer->{json}{code} || $answer->{body})
        if $answer->{status} != 422;
    my $json = $answer->{json};
    return "no proper 422: $answer->{body}"
        if ref $json ne 'HASH'
        || join(' ', sort keys %$json) ne 'code detail'
        || $json->{code} ne 'VALIDATION_ERROR'
        || ref $json->{detail} ne 'ARRAY'
        || !@{$json->{detail}}
        || $answer->{headers}{'content-type'} ne 'application/json'
        || grep { join(' ', sort keys %$_) ne 'loc msg type' || $_->{msg} !~ /^\S.*\.$/ } @{$json->{detail}};
    return "what was sent comes back: $answer->{body}" if $answer->{body} =~ /\Q$mark{text}\E/;
    return join '; ', map { "$_->{type} " . $coder->encode($_->{loc}) } @{$json->{detail}};
}

# ---- Faults of a field ----

my $bad_text = '"\ud800"';
my @no_text = ('5', '1.5', 'true', 'false', '[]', '{}', qq(["$mark{text}"]), qq({"$mark{text}":1}));

# What is wrong with a value: JSON, type, and what follows the field in loc.
sub faults_of ($schema, $field) {
    my ($type, $max, $min) = @$field{qw(type max min)};
    my @faults;
    my $with = sub ($fault, @values) {
        push @faults, map { [$_, $fault] } @values;
    };
    if ($type =~ /^(?:TEXT|NAME|PASSWORD|EMAIL)$/) {
        $with->('string_type', @no_text, "[$bad_text]");
        $with->(
            'string_unicode', $bad_text, qq("$mark{text}\\ud83d"), '"\udc00x"', '"\ud83d\u0041"', '"a\u0000b"',
            '"\u0000"');
        $with->(
            'string_too_long',
            '"' . 'x' x ($max + 1) . '"',
            '"' . 'ü' x ($max + 1) . '"',
            '"' . '\ud83d\ude00' x ($max + 1) . '"'
        ) if $max;
        $with->('string_too_short', map { qq("$_") } $min > 1 ? ('', 'x' x ($min - 1)) : '') if $min;
        # Of one line, and none that turns others around.
        $with->(
            'string_pattern_mismatch', map { qq("a${_}b") } '\n',
            '\t', '\u001b', '\u007f', '\u0085', '\u009b', '\u2028', '\u2029', '\u202e', '\u2066', '\u200f'
        ) if $type eq 'NAME';
    }
    elsif ($type eq 'ROLE') {
        $with->('string_type', @no_text);
        $with->('string_unicode', $bad_text);
        $with->('enum', '""', '"root"', '"Admin"', '"admin "', '"administrator"', qq("$mark{text}"));
    }
    elsif ($type eq 'INTEGER') {
        $with->('int_type', '[]', '{}', '[1]', "[$bad_text]");
        $with->('string_unicode', $bad_text);
        $with->(
            'int_parsing', '""', '" "', '"x"', '"1.5"', '"1e3"',
            '"--1"', '"1 2"', '"0x1"', '"true"', '"٣"', '"+"',
            '"1."', '"1.x"', '"\u0000"', '"1\u0000"', qq("$mark{text}"));
        $with->('int_from_float', '1.5', '-0.5', '1e-3', '0.1');
        $with->(
            'int_parsing_size', '9223372036854775808', '18446744073709551616', '-9223372036854775809',
            '"9223372036854775808"', '"-9223372036854775809"', '1' x 300, '"' . '1' x 300 . '"');
    }
    elsif ($type eq 'AMOUNT') {
        $with->('int_type', '[]', '{}', '[1]');
        $with->('string_unicode', $bad_text);
        $with->('int_parsing', '" "', '"x"', '"1.5"', '"\u0000"', qq("$mark{text}"));
        $with->('int_from_float', '1.5', '-0.5');
        $with->('int_parsing_size', '9223372036854775808', '"-9223372036854775809"');
    }
    elsif ($type eq 'STRICT') {
        $with->('bool_type', '0', '1', '"true"', '"x"', '[]', '{}', qq("$mark{text}"));
    }
    elsif ($type eq 'BOOLEAN') {
        $with->(
            'bool_type', '0.5', '1.5', '[]', '{}', '[true]', '1e30', '9223372036854775808', '18446744073709551616',
            '-9223372036854775809', '1' x 300);
        $with->('string_unicode', $bad_text);
        $with->(
            'bool_parsing', '2', '-1', '2.0', '10', '9223372036854775807', '9e18', '"\u0000"', '""', '" true"',
            '"maybe"', '"truee"', '"2"', '"1.0"', qq("$mark{text}"));
    }
    elsif ($type eq 'DATE') {
        $with->('date_type', 'true', '[]', '{}');
        $with->('string_unicode', $bad_text);
        $with->('date_parsing', '"0000-01-01"', '"0000-12-31T00:00:00"');
        $with->(
            'date_from_datetime_parsing', '""',
            '"x"', '"1999-13-01"',
            '"1999-02-29"', '"1999-12-32"',
            '"1999-12-31T"', '"1999-12-31T25:00:00"',
            '"31.12.1999"', '"1999-12-31 x"',
            '"0000-13-01"', '" 1999-12-31"',
            '"1999-12-31 "', '"1999-12-31\n"',
            '" 86400"', '"\u0000"',
            '"86400\u0000"', qq("$mark{text}"));
        $with->(
            'date_from_datetime_inexact', '"1999-12-31T00:00:01"',
            '"1999-12-31T12:00:00Z"', '"1999-12-31T00:00:00.5"',
            '1', '946598401',
            '1.5', '"946598401"');
    }
    elsif ($type eq 'OBJECT') {
        $with->('dict_type', '5', '1.5', 'true', '"x"', '[]', '[{}]', $bad_text, '"\u0000"', qq("$mark{text}"));
        $with->(
            'string_unicode',
            qq({"a": $bad_text}),
            '{"a": {"b": ["\u0000"]}}',
            '{"a\u0000": 1}',
            qq({"$mark{text}": $bad_text}));
        $with->('int_parsing_size', '{"a": 9223372036854775808}', '{"a": [{"b": -9223372036854775809}]}');
    }
    elsif ($type eq 'TEXTS') {
        $with->('list_type', '5', 'true', '"x"', '{}', $bad_text, '"\u0000"', qq("$mark{text}"));
        push @faults, ['[5]', 'string_type', 0], ['["a", null]', 'string_type', 1],
            [qq(["a", "$mark{text}", {}]), 'string_type', 2], [qq(["a", $bad_text]), 'string_unicode', 1];
    }
    elsif ($type eq 'SECTION') {
        $with->('model_attributes_type', '5', 'true', '"x"', '[]', $bad_text, '"\u0000"', qq("$mark{text}"));
        for my $key (map { $_->{key} } grep { is_there($_) } @{$permission{$field->{name}}}) {
            push @faults, map { [qq({"$key": $_}), 'bool_type', $key] } 'null', '0.5', '[]', '{}', '1e30';
            push @faults, map { [qq({"$key": $_}), 'bool_parsing', $key] } '2', '"maybe"', '""', '"\u0000"',
                qq("$mark{text}");
        }
    }
    elsif ($type eq 'OVERLAY') {
        $with->('dict_type', '5', 'true', '"x"', '[]', $bad_text, '"\u0000"', qq("$mark{text}"));
        push @faults, map { [qq({"features": $_}), 'dict_type', 'features'] } '5', 'true', 'null', '[]', '"x"';
        push @faults, map { [qq({"chat": {"edit": $_}}), 'bool_type', 'chat', 'edit'] } '5', 'null', '[]', '{}',
            '"true"', '{"x": true}';
        push @faults, map { [qq({"chat": {"own": $_}}), 'bool_type', 'chat', 'own'] } '5', 'null', '[]', '"true"';
    }
    else {
        fail "there is no test for $type";
    }
    # null, where it is not the same as absent
    $with->(
        {
            TEXT => 'string_type',
            NAME => 'string_type',
            PASSWORD => 'string_type',
            ROLE => 'string_type',
            INTEGER => 'int_type',
            BOOLEAN => 'bool_type',
            STRICT => 'bool_type',
            DATE => 'date_type',
            OBJECT => 'dict_type',
            TEXTS => 'list_type',
            SECTION => 'model_attributes_type',
            OVERLAY => 'dict_type'
        }->{$type},
        'null'
    ) if $field->{needed} ne 'NULLABLE';
    return @faults;
}

# A value that is right.
sub good ($field) {
    my $text = '"' . 'x' x ($field->{min} || 1) . '"';
    return {
        TEXT => $text,
        NAME => $text,
        PASSWORD => $text,
        ROLE => '"user"',
        INTEGER => '1',
        BOOLEAN => 'true',
        STRICT => 'true',
        AMOUNT => '""',
        EMAIL => $text,
        DATE => '"1999-12-31"',
        OBJECT => '{}',
        TEXTS => '[]',
        SECTION => '{}',
        OVERLAY => '{}'
    }->{$field->{type}};
}

sub object (%members) {
    return '{' . join(', ', map { qq("$_": $members{$_}) } sort keys %members) . '}';
}

my %tried;

# The body of a route, with the present compatibility.
sub try_body ($route) {
    my $schema = $schema{$route->{body}};
    my @fields = grep { is_there($_) } @{$schema->{fields}};
    my @required = grep { is_required($_) } @fields;
    my %good = map { ($_->{name} => good($_)) } @required;
    return subtest "$route->{name}: $schema->{name}, compatibility $compatibility" => sub {
        my %first;
        for my $field (@fields) {
            my $name = $field->{name};
            my @wrong;
            for my $fault (faults_of($schema, $field)) {
                my ($json, $type, @below) = @$fault;
                utf8::encode(my $bytes = object(%good, $name => $json));
                my $got = send_bytes($route, $bytes);
                my $wanted = "$type " . $coder->encode(['body', $name, @below]);
                push @wrong, substr($json, 0, 60) . " is $got, not $wanted" if $got ne $wanted;
                $first{$name} //= $fault;
            }
            is_deeply \@wrong, [], "$name: each fault";
            if (is_required($field)) {
                my %rest = %good;
                delete $rest{$name};
                is send_bytes($route, object(%rest)), qq(missing ["body","$name"]), "$name: missing";
            }
        }
        # All at once, in the order of the schema, whatever their order in the body.
        utf8::encode(my $bytes = '{'
                . join(', ', map { my ($json) = @{$first{$_->{name}}}; qq("$_->{name}": $json) } reverse @fields)
                . '}');
        is send_bytes($route, $bytes), join(
            '; ',
            map {
                my (undef, $type, @below) = @{$first{$_->{name}}};
                "$type " . $coder->encode(['body', $_->{name}, @below])
            } @fields
            ),
            'all fields wrong: in the order of the schema'
            if @fields;
        is send_bytes($route, '{}'), join('; ', map { qq(missing ["body","$_->{name}"]) } @required),
            'nothing there: each that is required'
            if @required;
        is send_bytes($route, '{"other": 1, "Name": 2}'),
            join('; ',
            (map { qq(missing ["body","$_->{name}"]) } @required),
            $schema{$route->{body}}{kind} eq 'CLOSED' ? map { qq(extra_forbidden ["body","$_"]) } qw(other Name) : ()),
            'others do not count, or are refused'
            if @required;
        # One that is missing and one that is wrong.
        if (@required && @fields > 1 && $fields[-1]{name} ne $required[0]{name}) {
            my $last = $fields[-1];
            my ($json, $type, @below) = @{$first{$last->{name}}};
            utf8::encode(my $mixed =
                    object(%good{map { $_->{name} } @required[1 .. $#required]}, $last->{name} => $json));
            is send_bytes($route, $mixed),
                qq(missing ["body","$required[0]{name}"]; $type ) . $coder->encode(['body', $last->{name}, @below]),
                'one missing, one wrong';
        }

        # The body as a whole.
        my $no_object = ($schema->{kind} eq 'FREE' ? 'dict_type' : 'model_attributes_type') . ' ["body"]';
        is send_bytes($route, $_), $no_object, "$_ is no object"
            for '[]', '[{}]', '5', '-1.5e3', '"x"', '""', 'true', 'false', qq("$mark{text}"), "\xEF\xBB\xBF[]";
        is send_bytes($route, $_), 'missing ["body"]', (length) . ' bytes of nothing'
            for '', 'null', " null\n", "\xEF\xBB\xBFnull";
        for my $type (
            'application/x-www-form-urlencoded', 'text/plain',
            'multipart/form-data; boundary=x', 'application/octet-stream',
            'text/json', 'application/jsonx',
            'json', 'image/png',
            'x', 'application/json+xml')
        {
            is send_bytes($route, object(%good), type => $type), $no_object, "$type is no object";
        }
        is send_bytes($route, "{$mark{text}", type => 'text/plain'), $no_object, 'nor is what is no JSON then';
        is send_bytes($route, '', type => 'text/plain'), 'missing ["body"]', 'nothing is nothing';
        is send_bytes($route, '{"a": x}'), 'json_invalid ["body",6]', 'what is no JSON has its place';
        is send_bytes($route, "{\"a\": \"\xFF\"}"), '400 BODY_PARSE_ERROR', 'what is no UTF-8 is no body';

        # Whoever may not call does not hear about the body.
        if ($route->{who} ne 'ANYONE') {
            for my $bytes ('', '{"a": x}', "\xFF", '[]') {
                is_problem $roster->request(
                    $route->{method} => path_of($route),
                    body => $bytes,
                    headers => ['Content-Type' => 'application/json']
                    ),
                    401, 'NOT_AUTHENTICATED',
                    'authentication comes before the body';
                is_problem $roster->request(
                    $route->{method} => path_of($route),
                    body => $bytes,
                    token => $user->{token}
                    ),
                    401, 'ACCESS_PROHIBITED', 'the role, too'
                    if $route->{who} eq 'ADMIN';
            }
        }
    };
}

for my $route (grep { $_->{body} ne 'NONE' } @routes) {
    try_body($route) if !$tried{$route->{body}}++ || $route->{who} eq 'ANYONE';    # one route of each schema
}
is_deeply [sort keys %tried], [sort grep { $schema{$_}{kind} ne 'QUERY' } keys %schema],
    'every schema of a body was tried';

# ---- Queries ----

# A body with which nothing is wrong, for a route that has both.
my %body = (users_bulk => {action => 'enable', user_ids => []});

# What ends sessions is asked by somebody else each time.
sub ask_query ($route, $query) {
    my $body = $body{$route->{name}};
    my $leaver = $route->{method} eq 'DELETE' ? $roster->add_user(role => 'admin') : undef;
    my $id = ($leaver // $admin)->{id};
    return $roster->request(
        $route->{method} => path_of($route) =~ s/nothing/$id/r . $query,
        token => $leaver ? $leaver->{token} : who($route),
        ($body ? (json => $body) : ()));
}

%tried = ();
for my $route (grep { $_->{query} ne 'NONE' } @routes) {
    next if $tried{$route->{query}}++ && $route->{name} ne 'users_search';
    for my $field (@{$schema{$route->{query}}{fields}}) {
        my $name = $field->{name};
        my %faults;
        $faults{string_unicode} = ['%FF', '%00', 'a%00b', '%ED%A0%80', '%C3', '%F5%80%80%80']
            if $field->{type} =~ /^(?:TEXT|ROLE|ACTION)$/;
        $faults{enum} = ['', 'owner', 'Admin', 'user%20', $mark{text}] if $field->{type} =~ /^(?:ROLE|ACTION)$/;
        my $good = {ROLE => 'user', ACTION => 'sign_in'}->{$field->{type}}
            // ($name eq 'after' ? '1:x' : $name eq 'membership' ? 'direct' : 1);
        $faults{int_parsing} =
            ['', '%20', 'x', '1.5', '1e3', '0x1', '--1', 'true', '1%2C0', '%00', '1%00', '%FF', $mark{text}]
            if $field->{type} eq 'INTEGER';
        $faults{int_parsing_size} = ['9223372036854775808', '-9223372036854775809', '1' x 400]
            if $field->{type} eq 'INTEGER';
        $faults{bool_parsing} = ['', '2', 'maybe', '+true', '1.0', '%00', '1%00', '%FF', $mark{text}]
            if $field->{type} eq 'BOOLEAN';
        for my $type (sort keys %faults) {
            for my $value (@{$faults{$type}}) {
                my $query = "?$name=$value";
                my $wanted = "$type " . $coder->encode(['query', $name]);
                for my $whole (
                    $query,
                    "?$name=$good&" . substr($query, 1),
                    "?%" . (sprintf '%02X', ord $name) . substr($name, 1) . "=$value&other=1")
                {
                    is outcome_of(ask_query($route, $whole)), $wanted,
                        "$route->{name}$query is $type"
                        . ($whole eq $query ? '' : ', ' . ($whole =~ /other/ ? 'escaped' : 'the last one'));
                }
            }
        }
        my $answer =
            ask_query($route,
            "?$name=" . ($faults{int_parsing} || $faults{bool_parsing} ? 'x' : '%FF') . "&$name=$good");
        isnt $answer->{status}, 422, "$route->{name}: of two $name the last one counts";
    }
}
is outcome_of($roster->get('/users/?page=x&order_by=%FF&query=%00&direction=asc', $admin)),
    'string_unicode ["query","query"]; string_unicode ["query","order_by"]; int_parsing ["query","page"]',
    'several at once, in the order of the schema';
is_deeply [sort keys %tried], [sort grep { $schema{$_}{kind} eq 'QUERY' } keys %schema],
    'every schema of a query was tried';

# ---- JSON ----

my ($info) = grep { $_->{name} eq 'info_update' } @routes;
my ($status) = grep { $_->{name} eq 'status_update' } @routes;

# Where each of these ends, in characters, as Python's json says it.
my @offsets = (
    ['{', 1],
    ['}', 0],
    ['{]', 1],
    ['[}', 1],
    ['{"a"', 4],
    ['{"a":', 5],
    ['{"a":1', 6],
    ['{"a":1,', 7],
    ['{"a":1,}', 7],
    ['{"a" 1}', 5],
    ['{"a":1 "b":2}', 7],
    ['{a:1}', 1],
    [q({'a':1}), 1],
    ['{"a":tru}', 5],
    ['{"a":nul}', 5],
    ['{"a":True}', 5],
    ['{"a":01}', 6],
    ['{"a":-}', 5],
    ['{"a":1.}', 6],
    ['{"a":.5}', 5],
    ['{"a":+1}', 5],
    ['{"a":1e}', 6],
    ['{"a":0x1}', 6],
    ['{"a":"x', 5],
    ['{"a":"\\x"}', 6],
    ['{"a":"\\u12"}', 7],
    ['{"a":"\\u12G4"}', 7],
    ["{\"a\":\"\t\"}", 6],
    ["{\"a\":\"\n\"}", 6],
    ["{\"a\":\"\0\"}", 6],
    ['{"a":1}x', 7],
    ['{"a":1} {}', 8],
    ['{"a":1},', 7],
    ['[1,]', 3],
    ['[1 2]', 3],
    ['[', 1],
    ['"x', 0],
    ['x', 0],
    ['tru', 0],
    ['-', 0],
    ["// x\n{}", 0],
    ['{"a":1,,"b":2}', 7],
    ['{"ü":x}', 5],
    ["{\"\x{1F600}\":\"é\" x}", 9],
    [" \n\t {\"a\":}", 9],
    ['{"a":"b"c}', 8],
    ['{"a":[1,2}', 9],
    ['{"a":{"b":1]}', 11],
    ['{,}', 1],
    ['{"a":1;}', 6],
    ["\x{A0}{}", 0],
    ['{"a":"\\ud83d\\u"}', 13],
    ['{"a":undefined}', 5],
    ['{"a":"\\', 5],
    ['{"a":"\\u', 7],
    ['{"a":"\\u0041', 7],
    [' ', 1],
    ["\n\n", 2],
    ["{\"a\":1}\0", 7],
    ["\x0C{}", 0],
    ['{"a": @}', 6],
    ['{"a":1_0}', 6],
    ['{"":', 4],
    ['{"a"::1}', 5],
    ["{\0}", 1],
    ["{\0\"\0a\0\"\0:\x001\0}\0", 1],
    ["\x{FEFF}{\"ü\":x}", 5],
    ["\x{FEFF}", 0],
    ["\x{FEFF}\x{FEFF}{}", 0],
    ['<?xml version="1.0"?>', 0],
    ['a=1&b=2', 0],
    ["{\"a\":1}\n-", 8],
    ['{"a":NaN}', 5],
    ['{"a":-Infinity}', 5],
    ['{"a":Infinity}', 5]);
for my $case (@offsets) {
    my ($text, $offset) = @$case;
    utf8::encode(my $bytes = $text);
    for my $type ('application/json', undef) {
        my $answer = $roster->ask(
            POST => path_of($info),
            $user,
            body => $bytes,
            $type ? (headers => ['Content-Type', $type]) : ());
        is outcome_of($answer), qq(json_invalid ["body",$offset]), $coder->encode($text) . " ends at $offset";
    }
}

# Bytes that are no UTF-8, wherever they stand.
for my $bytes (
    "\xFF", "\x80", "\xC3", "\xC0\x80",
    "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xED\xA0\xBD\xED\xB8\x80",
    "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82",
    "\xFE\xFF")
{
    my $hex = unpack 'H*', $bytes;
    is send_bytes($status, $_), '400 BODY_PARSE_ERROR', "$hex is no UTF-8"
        for $bytes, "{\"status_emoji\":\"$bytes\"}", "{\"other\":\"$bytes\"}", "{\"$bytes\":1}", "{}$bytes", "{x$bytes";
}
like send_bytes($info, "{\"a\":\"$_\"}"), qr/^200 /, unpack('H*', $_) . ' is UTF-8'
    for "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF", "\xED\x9F\xBF", "\xEE\x80\x80", "\x7F", "\xC2\x80", "\xF0\x9F\x98\x80",
    "\xE2\x80\xA8";

# Depth.
for my $case (['[', ']'], ['{"a":', '}']) {
    my ($open, $close) = @$case;
    my $nested = sub ($levels) {
        return '{"d":' . $open x ($levels - 1) . ($open eq '[' ? '' : '1') . $close x ($levels - 1) . '}';
    };
    like send_bytes($info, $nested->(64)), qr/^200 /, "$open: 64 levels are taken";
    is send_bytes($info, $nested->($_)), '400 BODY_PARSE_ERROR', "$open: $_ are not" for 65, 66, 10_000;
    is send_bytes($status, $nested->(65)), '400 BODY_PARSE_ERROR', "$open: nor in what nobody looks at";
    is send_bytes($info, '{"d":' . $open x 100_000), '400 BODY_PARSE_ERROR', "$open: nor 100,000 that do not end";
}
is send_bytes($info, '{"a":"' . '[' x 5000 . '"}') =~ /^200 / ? 1 : 0, 1, 'brackets in a text are no levels';
is send_bytes($info, '[' x 64 . ']' x 64), 'dict_type ["body"]', '64 lists are no object';

# Integers.
for my $sign ('', '-') {
    is send_bytes($info, '{"a":' . $sign . '9' x 300 . '}'), 'int_parsing_size ["body","a"]',
        "${sign}300 digits are an integer that is too large";
    is send_bytes($info, '{"a":{"b":[' . $sign . '9' x 300 . ']}}'), 'int_parsing_size ["body","a"]',
        'wherever it stands';
    is send_bytes($info, '{"a":' . $sign . '9' x $_ . '}'), '400 BODY_PARSE_ERROR', "${sign}$_ digits are none"
        for 301, 5000;
    is send_bytes($status, '{"other":' . $sign . '9' x 301 . '}'), '400 BODY_PARSE_ERROR', 'where nobody looks either';
    like send_bytes($status, '{"other":' . $sign . '9' x 300 . '}'), qr/^200 /, 'but 300 there are nothing';
    like send_bytes($info, '{"a":' . $sign . '9' x 301 . '.5}'), qr/^200 /, 'fractions may be longer';
    like send_bytes($info, '{"a":' . $sign . '0.' . '9' x 400 . '}'), qr/^200 /, 'and behind the point';
    like send_bytes($info, '{"a":' . $sign . '9' x 18 . '}'), qr/^200 /, '18 digits are good';
}
like send_bytes($info, '{"a":9223372036854775807}'), qr/"a":9223372036854775807/, 'the largest integer';
like send_bytes($info, '{"a":-9223372036854775808}'), qr/"a":-9223372036854775808/, 'and the least';
is send_bytes($status, '{"status_expires_at":9223372036854775807}') =~ /"status_expires_at":9223372036854775807/
    ? 1
    : 0, 1, 'in a column, too';
is send_bytes($status, '{"status_expires_at":-9223372036854775808}') =~ /"status_expires_at":-9223372036854775808/
    ? 1
    : 0, 1, 'both';

# Strings and keys.
like send_bytes($status, '{"status_emoji":"\ud83d\ude00","status_message":"\u00fc\/\b\f\n\r\t\"\\\\"}'), qr/^200 /,
    'escapes are read';
my $shown = $roster->get('/users/user/status', $admin)->{json};
is_deeply [@$shown{qw(status_emoji status_message)}], ["\x{1F600}", "ü/\b\f\n\r\t\"\\"], 'as they are meant';
is send_bytes($status, '{"status_emoji":5,"status_emoji":"last"}') =~ /"status_emoji":"last"/ ? 1 : 0, 1,
    'of two equal keys the last one counts';
is send_bytes($status, '{"status_emoji":"first","status_emoji":5}'), 'string_type ["body","status_emoji"]',
    'for better or worse';
is send_bytes($status, '{"status\u005femoji":"escaped"}') =~ /"status_emoji":"escaped"/ ? 1 : 0, 1,
    'an escaped key is the same key';
is send_bytes($status, '{"status\u005femoji":"\ud800"}'), 'string_unicode ["body","status_emoji"]', 'also in a fault';
is send_bytes($info, '{"good":1,"bad":"\ud800","worse":{"deep":["\u0000"]}}'),
    'string_unicode ["body","bad"]; string_unicode ["body","worse"]', 'texts that nobody can store in a free object';
is send_bytes($info, '{"a\ud800":1}') =~ /^string_unicode \["body","a/ ? 1 : 0, 1, 'nor as a key';
like send_bytes($status, '{"other":"\ud800"}'), qr/^200 /, 'where nobody looks they do no harm';
is send_bytes(
    (grep { $_->{name} eq 'settings_update' } @routes)[0],
    '{"ui":{"a":"\u0000"},"own":"\ud800","more":99999999999999999999}'
    ),
    'string_unicode ["body","ui"]; int_parsing_size ["body","more"]; string_unicode ["body","own"]', 'in settings';

# Content types that are JSON.
for my $type (
    'application/json', 'application/json; charset=utf-8',
    'application/json;charset=ISO-8859-1', 'APPLICATION/JSON',
    'application/vnd.api+json', 'application/+json',
    'application/scim+JSON; x=y', 'application/json ; a',
    ' ', ';x')
{
    like send_bytes($status, '{"status_emoji":"t"}', type => $type), qr/^200 /, "'$type' is JSON";
}
like send_bytes($status, "\xEF\xBB\xBF{\"status_emoji\":\"mark\"}"), qr/"mark"/, 'a byte order mark is skipped';
is outcome_of($roster->ask(
    POST => path_of($status),
    $user,
    body => '{"status_emoji":5}',
    chunked => 4,
    headers => ['Content-Type' => 'application/json'])),
    'string_type ["body","status_emoji"]', 'a body in chunks is the same';

# ---- What can be read as something else ----

{
    my $all = join ', ', map { qq("$_": {}) } sort keys %permission;
    my ($route) = grep { $_->{name} eq 'default_permissions_set' } @routes;
    for my $value ('true', '1', '1.0', map({ qq("$_") } map { ($_, uc, ucfirst) } qw(true yes on t y 1))) {
        like send_bytes($route, qq({$all, "features": {"api_keys": $value}})), qr/"api_keys":true/, "$value is true";
    }
    for my $value ('false', '0', '0.0', '-0', '-0.0',
        map({ qq("$_") } map { ($_, uc, ucfirst) } qw(false no off f n 0)))
    {
        like send_bytes($route, qq({$all, "features": {"notes": $value}})), qr/"notes":false/, "$value is false";
    }
    for my $case (
        ['5', 5],
        ['5.0', 5],
        ['5e0', 5],
        ['0.5e1', 5],
        ['true', 1],
        ['false', 0],
        ['"5"', 5],
        ['" 5 "', 5],
        ['"5.0"', 5],
        ['"-5"', -5],
        ['"+5"', 5],
        ['"1_000"', 1000],
        ['"007"', 7],
        ['-0', 0],
        ['"-9223372036854775808"', '-9223372036854775808'],
        ['"\u0035"', 5],
        ['1e18', '1000000000000000000'])
    {
        like send_bytes($status, qq({"status_expires_at": $case->[0]})), qr/"status_expires_at":$case->[1],/,
            "$case->[0] is $case->[1]";
    }
    ($route) = grep { $_->{name} eq 'profile_update' } @routes;
    for my $case (
        ['"1999-12-31"', '1999-12-31'],
        ['"1999-12-31T00:00:00"', '1999-12-31'],
        ['"1999-12-31 00:00"', '1999-12-31'],
        ['"1999-12-31T00:00:00Z"', '1999-12-31'],
        ['"2000-02-29"', '2000-02-29'],
        ['"0001-01-01"', '0001-01-01'],
        ['"9999-12-31"', '9999-12-31'],
        ['946598400', '1999-12-31'],
        ['"946598400"', '1999-12-31'],
        ['946598400.0', '1999-12-31'],
        ['946598400000', '1999-12-31'],
        ['0', '1970-01-01'],
        ['-86400', '1969-12-31'],
        ['null', undef])
    {
        like send_bytes($route, qq({"profile_image_url": "/user.png", "name": "Admin", "date_of_birth": $case->[0]})),
            qr/^200 /, "$case->[0] is a date";
        is $roster->get('/users/user/status', $admin)->{json}{date_of_birth}, $case->[1], 'the right one';
    }
}

# ---- Bodies that are cut off, and large ones ----

{
    my %params = (
        REQUEST_METHOD => 'POST',
        REQUEST_URI => '/users/user/info/update',
        HTTP_AUTHORIZATION => "Bearer $user->{token}");
    is_problem $roster->fastcgi('api', {%params, CONTENT_LENGTH => 100}, '{"a":1}'), 400, 'BODY_INCOMPLETE',
        'half a body';
    is_problem $roster->fastcgi('api', {%params, CONTENT_LENGTH => $_}, '{"a":x}'), 422, 'VALIDATION_ERROR',
        "a length of '$_' is none"
        for 'x', '-5', '99999999999999999999999';
    is_problem $roster->fastcgi('api', {%params, CONTENT_LENGTH => 5_000_000_000}, '{}'), 413, 'CONTENT_TOO_LARGE',
        'a length beyond the limit';
    is $roster->fastcgi('api', {%params, CONTENT_LENGTH => 7}, '{"a":1}x')->{status}, 200,
        'what is behind the length does not count';
    my $members = join ',', map { "\"k$_\":$_" } 1 .. 15_000;
    is $roster->ask(POST => '/users/user/info/update', $user, body => "{$members}")->{status},
        200, '15,000 keys are taken';
    $roster->sql('UPDATE user SET info = NULL');
    my ($route) = grep { $_->{name} eq 'group_users_add' } @routes;
    my @faults = split /; /, send_bytes($route, '{"user_ids": [' . join(',', (5) x 2000) . ']}');
    is $faults[-1], 'string_type ["body","user_ids",1999]', '2,000 faults are told';
}

# Nothing of all that was a failure of ours.
is_deeply [grep { / status=5/ } split /\n/, $roster->log_text('roster-access')], [], 'no answer was a 5xx';
is_deeply [grep { /\[error\]/ } split /\n/, $roster->log_text('roster-error')], [], 'and no error was logged';

# ---- What a newer compatibility reads ----

$roster->reconfigure(compatibility => '0.12');
$compatibility = '0_12';
my %read_there = map { ($_->{schema} => 1) }
    grep { $_->{since} eq '0_12' || $_->{needed} eq 'RELAXED' } Roster::Tables::records('tables/schemas.def', 'FIELD');
try_body($_) for grep { delete $read_there{$_->{body}} } @routes;
is_deeply [keys %read_there], [], 'every schema that has other fields then was tried';

done_testing;
