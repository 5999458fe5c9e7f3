# The OpenAPI document has everything that the tables have, and refers to nothing that there is not.
use v5.36;
use utf8;

use JSON::PP ();
use Test::More;
use Roster::Document;
use Roster::Tables;

sub document_of (@options) {
    my ($text, $status) = Roster::Tables::rosterctl('openapi', '--json', @options);
    is $status, 0, "rosterctl prints the document @options";
    utf8::encode($text);
    return JSON::PP->new->utf8->decode($text);
}
my $document = document_of('--compatibility', '0.12');
my $older = document_of();
like $document->{openapi}, qr/^3\.1\./, 'it is OpenAPI 3.1';
is_deeply [sort keys %{$document->{components}{securitySchemes}}], [qw(apiKeyHeader bearer cookie)],
    'it names the security schemes';

# An object requires nothing that it does not have.
sub lacking ($where, $schema) {
    my $properties = $schema->{properties} // {};
    my @lacking = map { "$where.$_" } grep { !$properties->{$_} } @{$schema->{required} // []};
    return @lacking, map { lacking("$where.$_", $properties->{$_}) } sort keys %$properties;
}
for my $each ($document, $older) {
    my $schemas = $each->{components}{schemas};
    is_deeply [map { lacking($_, $schemas->{$_}) } sort keys %$schemas], [], 'what is required is described';
}

my @routes = Roster::Tables::rows('tables/routes.def', 'ROUTE');
my @errors = Roster::Tables::rows('tables/errors.def', 'ERROR');
my %shape = map { ($_->[0] => $_) } Roster::Tables::rows('tables/shapes.def', 'SHAPE');
my $schemas = $document->{components}{schemas};

# ---- Routes ----

my %status_of = map { ($_->[0] => $_->[1]) } @errors;
my %refuses = map { ($_->[0] => 1) }
    grep { ($_->[2] || $status_of{$_->[1]}) == 401 } Roster::Tables::rows('tables/routes.def', 'ROUTE_ERROR');
my %operation;
for my $path (keys %{$document->{paths}}) {
    for my $method (keys %{$document->{paths}{$path}}) {
        my $operation = $document->{paths}{$path}{$method};
        ok !$operation{$operation->{operationId}}, "$operation->{operationId} stands once";
        $operation{$operation->{operationId}} = [uc $method, $path, $operation];
    }
}
is scalar keys %operation, scalar @routes, 'there are as many operations as routes';
for my $row (@routes) {
    my ($name, $method, $path, $place, $who, undef, $body, $query, $gives, undef, $limit, $summary) = @$row;
    my $found = $operation{$name} // [];
    is_deeply [@$found[0, 1]], [$method, ($place eq 'UNDER_API' ? '/api/v1' : '') . $path], "$name is $method $path";
    my $operation = $found->[2] // {};
    is $operation->{summary}, $summary, '... with its text';
    is_deeply $operation->{tags}, [$place eq 'UNDER_API' ? $path =~ m{^/([^/]+)} : 'service'], '... and its tag';
    is_deeply $operation->{security}, $who eq 'ANYONE' ? [] : undef, '... wants a token, or none';
    my @parameters = map { $_->{name} } grep { $_->{in} eq 'path' } @{$operation->{parameters} // []};
    is_deeply \@parameters, [$path =~ /\{(\w+)\}/g], '... has the parameters of its path';
    my @fields = map { $_->[1] } grep { $_->[0] eq $query } Roster::Tables::rows('tables/schemas.def', 'FIELD');
    is_deeply [map { $_->{name} } grep { $_->{in} eq 'query' } @{$operation->{parameters} // []}], \@fields,
        '... and of its query';
    is !!$operation->{requestBody}, $body ne 'NONE', '... has a body, or none';
    ok $shape{$gives}, "... gives $gives, which is a shape";
    my $has_body = $shape{$gives}[1] ne 'FIELDS';
    ok $operation->{responses}{$has_body ? 200 : 204}, '... has an answer';
    is !!$operation->{responses}{401}, !!($who ne 'ANYONE' || $refuses{$name}),
        '... has 401 where it wants a token, or a code';
    is !!$operation->{responses}{429}, $limit ne 'NONE', '... has 429 where there is a limit';
    is !!$operation->{responses}{422}, $body ne 'NONE' || $query ne 'NONE',
        '... has 422 where there is something to validate';
}

my $calls = Roster::Document::calls($Roster::Tables::source);
ok $calls->{"$_->[0] 200"} || $calls->{"$_->[0] 204"}, "a test in t/e2e calls $_->[0] with success" for @routes;

# ---- Errors ----

my %known = map { ($_ => 1) } @{$schemas->{Error}{properties}{code}{enum}},
    $schemas->{ValidationError}{properties}{code}{const};
is_deeply [sort keys %known], [sort map { $_->[0] } @errors], 'every error code is named, and no others';
my %status = map { ($_->[0] => $_->[1]) } @errors;
my %route = map { ($_->[0] => 1) } @routes;
for my $row (Roster::Tables::rows('tables/routes.def', 'ROUTE_ERROR')) {
    my ($name, $code, $other) = @$row;
    ok $route{$name} && $status{$code}, "routes.def: $name and $code exist" or next;
    my $at = $other || $status{$code};
    my $answer = $operation{$name}[2]{responses}{$at} // {};
    like $answer->{description} // '', qr/`$code`/, "... and the document has it with $at";
}

# ---- Shapes ----

my %used = map { ($_->[8] => 1) } @routes;
my %member_of = map { ($_->[3] => 1) } Roster::Tables::rows('tables/shapes.def', 'MEMBER');
for my $name (sort keys %shape) {
    if ($shape{$name}[1] eq 'FIELDS') {
        ok !$schemas->{$name}, "the document has no schema $name, since it is no body";
        next;
    }
    ok $schemas->{$name}, "the document has the shape $name";
    ok length $shape{$name}[3], '... with a text';
    ok $used{$name}
        || $member_of{$name}
        || $name eq 'PermissionSource'
        || (grep { $_->[2] eq $name } values %shape)
        || (grep { $_->[1] eq $name } Roster::Tables::rows('tables/shapes.def', 'SHAPE_EITHER')),
        '... which is used';
}
for my $row (Roster::Tables::rows('tables/permissions.def', 'PERMISSION')) {
    is $schemas->{PermissionSources}{properties}{$row->[0]}{properties}{$row->[1]}{'$ref'},
        '#/components/schemas/PermissionSource', "PermissionSources has $row->[0].$row->[1]";
    ok $schemas->{Permissions}{properties}{$row->[0]}{properties}{$row->[1]}, "Permissions has $row->[0].$row->[1]";
    my $default = $older->{components}{schemas}{PermissionsBody}{properties}{$row->[0]}{properties}{$row->[1]}{default};
    is $default, $row->[4] eq '0_6' ? JSON::PP->can($row->[2])->() : undef,
        '... with what is taken where it is absent, with 0.6';
}
for my $row (Roster::Tables::rows('tables/settings.def', 'SETTING')) {
    my $member = $schemas->{AdminConfig}{properties}{$row->[0]};
    ok $member && length $member->{description}, "AdminConfig has $row->[0] with a text";
}
for my $row (Roster::Tables::rows('tables/settings.def', 'LDAP_SETTING')) {
    my $member = $schemas->{LdapServer}{properties}{$row->[0]};
    ok $member && length $member->{description}, "LdapServer has $row->[0] with a text";
}

# ---- Fields by the directive compatibility ----

# The members of objects of a shape, with each value of the directive.
my %columns_of = (
    USER => [map { [$_->{name}, $_->{since}] } Roster::Tables::records('tables/columns.def', 'USER_COLUMN')],
    USER_INFO => [
        map { [$_->{name}, $_->{place} eq 'CARD' ? '0_12' : $_->{since}] }
        grep { $_->{place} =~ /^(?:INFO|CARD)$/ } Roster::Tables::records('tables/columns.def', 'USER_COLUMN')
    ],
    GROUP => [map { [$_->{name}, $_->{since}] } Roster::Tables::records('tables/columns.def', 'GROUP_COLUMN')],
    OAUTH_SESSION => [map { [$_->[0], '0_6'] } Roster::Tables::rows('tables/columns.def', 'OAUTH_SESSION_COLUMN')],
    SESSION => [map { [$_->[0], '0_6'] } Roster::Tables::rows('tables/columns.def', 'SESSION_COLUMN')],
    admin_config => [map { [$_->{key}, $_->{since}] } Roster::Tables::records('tables/settings.def', 'SETTING')],
    ldap_server => [map { [$_->{key}, $_->{since}] } Roster::Tables::records('tables/settings.def', 'LDAP_SETTING')],
    permissions =>
        [map { [$_->{section}, $_->{since}] } Roster::Tables::records('tables/permissions.def', 'PERMISSION_SECTION')],
);
$columns_of{permission_sources} = $columns_of{permissions};
$columns_of{USER_CARD} = [map { [$_->[0], '0_6'] } @{$columns_of{USER_INFO}}];
my %members;
push @{$members{$_->{shape}}}, [@$_{qw(name since)}] for Roster::Tables::records('tables/shapes.def', 'MEMBER');
push @{$members{$_->[0]}}, @{$columns_of{$_->[1]} // die "no columns of $_->[1]"}
    for Roster::Tables::rows('tables/shapes.def', 'MEMBERS');
for my $name (grep { $shape{$_}[1] eq 'OBJECT' } sort keys %shape) {
    for ([$older, '0.6', qw(0_6)], [$document, '0.12', qw(0_6 0_12)]) {
        my ($of, $value, @since) = @$_;
        my %since = map { ($_ => 1) } @since;
        is_deeply [sort keys %{$of->{components}{schemas}{$name}{properties}}],
            [sort map { $_->[0] } grep { $since{$_->[1]} } @{$members{$name}}],
            "with compatibility = $value, $name has the members that the tables say";
    }
}

# ---- What generators stumble over ----

# Go's make a function NewX for each schema X.
is_deeply [grep { /^New(.+)/ && $schemas->{$1} } sort keys %$schemas], [],
    'no schema is called as the maker of another';
is_deeply [sort keys %{$document->{components}{responses}}], [
    sort { $a cmp $b } keys %{{
        map { ($_ => 1) } map { s{.*/}{}r } grep { defined }
            map {
            map { $_->{'$ref'} }
                values %{$_->[2]{responses}}
            } values %operation
    }}
    ],
    'each response of the components is referred to, and no others';
for my $id (sort keys %operation) {
    my $responses = $operation{$id}[2]{responses};
    for my $status (grep { $_ >= 400 } sort keys %$responses) {
        is_deeply [sort keys %{$responses->{$status}}], [$responses->{204} ? () : '$ref', 'description'],
            "$id: $status is a reference, with the codes" . ($responses->{204} ? ', but has no body' : '');
    }
}
is_deeply [sort map { $_->{content}{'application/json'}{schema}{'$ref'} =~ s{.*/}{}r }
        values %{$document->{components}{responses}}],
    [('Error') x (keys(%{$document->{components}{responses}}) - 1), 'ValidationError'],
    'every error is one of two schemas';
for my $id (qw(user_picture picture_file)) {
    my $content = $operation{$id}[2]{responses}{200}{content};
    is_deeply [sort keys %$content],
        [map { "image/$_" } qw(gif jpeg png), ($id eq 'user_picture' ? 'svg+xml' : ()), 'webp'], "$id gives pictures";
    is_deeply [@{$schemas->{$_->{schema}{'$ref'} =~ s{.*/}{}r}}{qw(type format)}], ['string', 'binary'],
        '... which are bytes'
        for values %$content;
}
is $schemas->{$_}{properties}{DEFAULT_USER_ROLE}{'$ref'}, '#/components/schemas/Role', "$_: the default role is a role"
    for qw(AdminConfig AdminConfigBody);
# An object without properties is any object only where that is said.
my @empty;
my $look = sub ($value, $place, $look) {
    if (ref $value eq 'HASH') {
        my %type = map { ($_ => 1) } ref $value->{type} eq 'ARRAY' ? @{$value->{type}} : $value->{type} // ();
        push @empty, $place if $type{object} && !$value->{properties} && !($value->{additionalProperties} // 0);
        $look->($value->{$_}, "$place/$_", $look) for keys %$value;
    }
    elsif (ref $value eq 'ARRAY') {
        $look->($value->[$_], "$place/$_", $look) for 0 .. $#$value;
    }
};
$look->($document, '', $look);
is_deeply \@empty, [], 'free-form objects say so';

# ---- References ----

my (%referred, @undescribed);
my $walk = sub ($value, $place, $walk) {
    if (ref $value eq 'HASH') {
        $referred{$value->{'$ref'}} = $place if exists $value->{'$ref'} && !ref $value->{'$ref'};
        $walk->($value->{$_}, "$place/$_", $walk) for keys %$value;
    }
    elsif (ref $value eq 'ARRAY') {
        $walk->($value->[$_], "$place/$_", $walk) for 0 .. $#$value;
    }
};
$walk->($document, '', $walk);
for my $reference (sort keys %referred) {
    my ($kind, $name) = $reference =~ m{^#/components/(\w+)/(\w+)$};
    ok $name && $document->{components}{$kind}{$name}, "$reference exists";
}
for my $name (sort keys %$schemas) {
    my $properties = $schemas->{$name}{properties} // {};
    push @undescribed, map { "$name.$_" } grep { !length($properties->{$_}{description} // '') } keys %$properties;
}
is_deeply [grep { !/^(?:Error|ValidationError)\./ } sort @undescribed], [], 'every member has a text';

done_testing;
