# The OpenAPI document has everything that the tables have, and refers to nothing that there is not.
use v5.36;
use utf8;

use JSON::PP ();
use Test::More;
use Roster::Tables;

my ($text, $status) = Roster::Tables::rosterctl('openapi', '--json');
is $status, 0, 'rosterctl prints the document';
utf8::encode($text);
my $document = JSON::PP->new->utf8->decode($text);
like $document->{openapi}, qr/^3\.1\./, 'it is OpenAPI 3.1';
is_deeply [sort keys %{$document->{components}{securitySchemes}}], [qw(apiKeyHeader bearer cookie)], 'it names the security schemes';

my @routes = Roster::Tables::rows('tables/routes.def', 'ROUTE');
my @errors = Roster::Tables::rows('tables/errors.def', 'ERROR');
my %shape = map { ($_->[0] => $_) } Roster::Tables::rows('tables/shapes.def', 'SHAPE');
my $schemas = $document->{components}{schemas};

# ---- Routes ----

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
    is_deeply [@$found[0, 1]], [$method, ($place eq 'API' ? '/api/v1' : '') . $path], "$name is $method $path";
    my $operation = $found->[2] // {};
    is $operation->{summary}, $summary, '... with its text';
    is_deeply $operation->{security}, $who eq 'ANYONE' ? [] : undef, '... wants a token, or none';
    my @parameters = map { $_->{name} } grep { $_->{in} eq 'path' } @{$operation->{parameters} // []};
    is_deeply \@parameters, [$path =~ /\{(\w+)\}/g], '... has the parameters of its path';
    my @fields = map { $_->[1] } grep { $_->[0] eq $query } Roster::Tables::rows('tables/schemas.def', 'FIELD');
    is_deeply [map { $_->{name} } grep { $_->{in} eq 'query' } @{$operation->{parameters} // []}], \@fields, '... and of its query';
    is !!$operation->{requestBody}, $body ne 'NONE', '... has a body, or none';
    ok $shape{$gives}, "... gives $gives, which is a shape";
    ok $operation->{responses}{200}, '... has an answer';
    is !!$operation->{responses}{401}, $who ne 'ANYONE', '... has 401 where it wants a token';
    is !!$operation->{responses}{429}, $limit ne 'NONE', '... has 429 where there is a limit';
    is !!$operation->{responses}{422}, $body ne 'NONE' || $query ne 'NONE', '... has 422 where there is something to validate';
}

# ---- Errors ----

my %known = map { ($_ => 1) } @{$schemas->{Error}{properties}{code}{enum}}, $schemas->{ValidationError}{properties}{code}{const};
is_deeply [sort keys %known], [sort map { $_->[0] } @errors], 'every error code is named, and no others';
my %status = map { ($_->[0] => $_->[1]) } @errors;
my %route = map { ($_->[0] => 1) } @routes;
for my $row (Roster::Tables::rows('tables/route_errors.def', 'ROUTE_ERROR')) {
    my ($name, $code, $other) = @$row;
    ok $route{$name} && $status{$code}, "route_errors.def: $name and $code exist" or next;
    my $at = $other || $status{$code};
    my $answer = $operation{$name}[2]{responses}{$at} // {};
    like $answer->{description} // '', qr/`$code`/, "... and the document has it with $at";
}

# ---- Shapes ----

my %used = map { ($_->[8] => 1) } @routes;
my %member_of = map { ($_->[3] => 1) } Roster::Tables::rows('tables/shapes.def', 'MEMBER');
for my $name (sort keys %shape) {
    ok $schemas->{$name}, "the document has the shape $name";
    ok length $shape{$name}[3], '... with a text';
    ok $used{$name} || $member_of{$name} || (grep { $_->[2] eq $name } values %shape), '... which is used';
}
my %column = map { ("$_->[0].$_->[1]" => 1) } Roster::Tables::rows('tables/shapes.def', 'COLUMN');
my @columns;
for my $table (qw(USER GROUP OAUTH_SESSION SESSION)) {
    push @columns, map {"$table.$_->[0]"} Roster::Tables::rows('tables/columns.def', "${table}_COLUMN");
}
is_deeply [sort keys %column], [sort @columns], 'every column has a text in shapes.def, and no others';
for my $row (Roster::Tables::rows('tables/permissions.def', 'PERMISSION')) {
    ok $schemas->{Permissions}{properties}{$row->[0]}{properties}{$row->[1]}, "Permissions has $row->[0].$row->[1]";
}
for my $row (Roster::Tables::rows('tables/settings.def', 'SETTING')) {
    my $member = $schemas->{AdminConfig}{properties}{$row->[0]};
    ok $member && length $member->{description}, "AdminConfig has $row->[0] with a text";
}
for my $row (Roster::Tables::rows('tables/settings.def', 'LDAP_SETTING')) {
    my $member = $schemas->{LdapServer}{properties}{$row->[0]};
    ok $member && length $member->{description}, "LdapServer has $row->[0] with a text";
}

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
    push @undescribed, map {"$name.$_"} grep { !length($properties->{$_}{description} // '') } keys %$properties;
}
is_deeply [grep { !/^(?:Error|ValidationError)\./ } sort @undescribed], [], 'every member has a text';

done_testing;
